package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Error is a refusal: what an answer with a status of 300 or more says. Branch
// on Code, never on the texts.
type Error struct {
	Status     int           `json:"status"`
	Code       string        `json:"code"` // "insufficient_funds"; "" where giro did not write the answer
	Param      string        `json:"param,omitempty"`
	Title      string        `json:"title"`
	Detail     string        `json:"detail"`
	Type       string        `json:"type"` // path of the code's page
	RequestID  string        `json:"request_id"`
	RetryAfter time.Duration `json:"-"` // 0: none
	Body       []byte        `json:"-"` // as it came
}

func (e *Error) Error() string {
	switch {
	case e.Code == "":
		return fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
	case e.Param != "":
		return e.Code + " at " + e.Param + ": " + e.Detail
	}
	return e.Code + ": " + e.Detail
}

// refused reads an answer as a refusal. What is no problem document keeps its
// status alone.
func refused(a *Answer) *Error {
	e := &Error{}
	if json.Unmarshal(a.Body, e) != nil || e.Code == "" {
		e = &Error{Title: http.StatusText(a.Status)}
	}
	e.Status, e.Body = a.Status, a.Body
	if e.RequestID == "" {
		e.RequestID = a.RequestID
	}
	if seconds, err := strconv.Atoi(a.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}

// again reports whether the same request may be answered otherwise in a moment.
// Without an Idempotency-Key that is so only where nothing was done for sure.
func (e *Error) again(once bool) bool {
	switch e.Status {
	case http.StatusTooManyRequests:
		return true
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return !once
	case http.StatusConflict:
		return e.Code == "idempotency_in_progress"
	}
	return false
}

// Unanswered: no answer came. If Sent, the request may have arrived, and what
// became of it is not known: send it again with the same Key, which tells
// without doing it twice.
type Unanswered struct {
	Method, Path string
	Key          string // "": the request had none
	Sent         bool
	Err          error
}

func (e *Unanswered) Error() string {
	why, where := e.Err, e.Path
	var u *url.Error
	if errors.As(e.Err, &u) { // it says method and address itself
		why, where = u.Err, u.URL
	}
	s := e.Method + " " + where + ": no answer: " + why.Error()
	if e.Sent && e.Key != "" {
		s += "; its outcome is not known: send it again with Idempotency-Key " + e.Key
	}
	return s
}

func (e *Unanswered) Unwrap() error { return e.Err }
