// Package webscript runs text scripts of HTTP requests and expected answers,
// against a handler or a live server.
//
// A script is a list of steps. A step is a request line, headers, a body that
// begins with a line starting with { or [ (or after the line "body" whatever
// follows), and then what is expected, each on a line that begins with ">":
//
//	# The seeds' own example.
//	POST /charges
//	Authorization: Bearer {{secret_key}}
//	{"amount": 1000, "currency": "usd", "provider": "card", "card": {"token": "card_token"}}
//	> status 201
//	> header Location ~ ^/v1/charges/ch_
//	> json /status == "succeeded"
//	> json /id ~ ^ch_
//	> subset {"amount": 1000, "amount_captured": 1000}
//	> has /created_at
//	> lacks /secret
//	> save charge /id
//
// "code x" is short for json /code == "x". {{name}} is replaced by a variable or
// by a saved value. A body gets Content-Type: application/json unless a header
// says otherwise; "Name:" alone leaves a header out. "Host:" names the host. Lines that begin with # and
// empty lines are skipped.
package webscript

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// Runner runs scripts. Do sends one request; Vars holds what {{name}} stands for
// and takes what steps save.
type Runner struct {
	Do   func(*http.Request) (*http.Response, error)
	Base string // "http://host" in front of the paths
	Vars map[string]string
}

// Handler returns a runner against a handler, without a network.
func Handler(h http.Handler) *Runner {
	return &Runner{Base: "http://giro.test", Vars: map[string]string{}, Do: func(r *http.Request) (*http.Response, error) {
		r.RequestURI = r.URL.RequestURI()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	}}
}

// Server returns a runner against a live server.
func Server(base string) *Runner {
	return &Runner{Base: base, Vars: map[string]string{}, Do: http.DefaultClient.Do}
}

type step struct {
	line    int
	request string
	headers []string
	body    []string
	checks  []check
}

type check struct {
	line int
	text string
}

// Run runs a script and returns the first thing that is not as expected, with
// its line.
func (r *Runner) Run(name, script string) error {
	steps, err := parse(script)
	if err != nil {
		return fmt.Errorf("%s:%w", name, err)
	}
	for _, s := range steps {
		if err := r.step(&s); err != nil {
			return fmt.Errorf("%s:%w", name, err)
		}
	}
	return nil
}

func parse(script string) ([]step, error) {
	var steps []step
	var s *step
	inBody := false
	for i, line := range strings.Split(script, "\n") {
		n, line := i+1, strings.TrimRight(line, " \r")
		switch {
		case strings.HasPrefix(line, ">"):
			if s == nil {
				return nil, fmt.Errorf("%d: an expectation before any request", n)
			}
			s.checks = append(s.checks, check{n, strings.TrimSpace(line[1:])})
			inBody = false
		case s != nil && len(s.checks) == 0 && inBody:
			s.body = append(s.body, line)
		case line == "" || strings.HasPrefix(line, "#"):
		case s == nil || len(s.checks) > 0:
			steps = append(steps, step{line: n, request: line})
			s = &steps[len(steps)-1]
		case line == "body":
			inBody = true
		case line[0] == '{' && !strings.HasPrefix(line, "{{") || line[0] == '[':
			inBody = true
			s.body = append(s.body, line)
		default:
			s.headers = append(s.headers, line)
		}
	}
	for _, s := range steps {
		if len(s.checks) == 0 {
			return nil, fmt.Errorf("%d: a request without expectations", s.line)
		}
	}
	return steps, nil
}

var variable = regexp.MustCompile(`\{\{(\w+)\}\}`)

func (r *Runner) expand(line int, s string) (string, error) {
	var err error
	s = variable.ReplaceAllStringFunc(s, func(m string) string {
		v, ok := r.Vars[m[2:len(m)-2]]
		if !ok {
			err = fmt.Errorf("%d: %s is not set", line, m)
		}
		return v
	})
	return s, err
}

func (r *Runner) step(s *step) error {
	line, err := r.expand(s.line, s.request)
	if err != nil {
		return err
	}
	method, path, ok := strings.Cut(line, " ")
	if !ok || !strings.HasPrefix(path, "/") {
		return fmt.Errorf("%d: %q is not METHOD /path", s.line, line)
	}
	body, err := r.expand(s.line, strings.TrimRight(strings.Join(s.body, "\n"), "\n"))
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, r.Base+path, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("%d: %w", s.line, err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range s.headers {
		h, err := r.expand(s.line, h)
		if err != nil {
			return err
		}
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return fmt.Errorf("%d: %q is not a header", s.line, h)
		}
		if value = strings.TrimSpace(value); strings.EqualFold(name, "Host") {
			req.Host = value // empty: that of the URL
		} else if value == "" {
			req.Header.Del(name)
		} else {
			req.Header.Set(name, value)
		}
	}
	resp, err := r.Do(req)
	if err != nil {
		return fmt.Errorf("%d: %w", s.line, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%d: %w", s.line, err)
	}
	for _, c := range s.checks {
		if err := r.check(c, resp, answer); err != nil {
			return fmt.Errorf("%d: %s: %w\n%s %s\n%s\n%s", c.line, c.text, err, method, path, resp.Status, answer)
		}
	}
	return nil
}

func (r *Runner) check(c check, resp *http.Response, body []byte) error {
	text, err := r.expand(c.line, c.text)
	if err != nil {
		return err
	}
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "status":
		if got := strconv.Itoa(resp.StatusCode); got != rest {
			return fmt.Errorf("the status is %s", got)
		}
		return nil
	case "header":
		name, test, _ := strings.Cut(rest, " ")
		return compare(resp.Header.Get(name), test)
	case "body":
		return compare(string(body), rest)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var doc any
	if err := decoder.Decode(&doc); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	switch word {
	case "code":
		if v, _ := find(doc, "/code"); v != rest {
			return fmt.Errorf("the code is %v", v)
		}
	case "json":
		pointer, test, _ := strings.Cut(rest, " ")
		v, ok := find(doc, pointer)
		if !ok {
			return fmt.Errorf("there is no %s", pointer)
		}
		if want, ok := strings.CutPrefix(test, "== "); ok {
			w, err := decode(want)
			if err != nil {
				return err
			}
			if !reflect.DeepEqual(v, w) {
				return fmt.Errorf("it is %s", encode(v))
			}
			return nil
		}
		s, ok := v.(string)
		if !ok {
			s = encode(v)
		}
		return compare(s, test)
	case "has", "lacks":
		if _, ok := find(doc, rest); ok != (word == "has") {
			return fmt.Errorf("it does not")
		}
	case "subset":
		want, err := decode(rest)
		if err != nil {
			return err
		}
		return subset("", want, doc)
	case "save":
		name, pointer, _ := strings.Cut(rest, " ")
		v, ok := find(doc, pointer)
		if !ok {
			return fmt.Errorf("there is no %s", pointer)
		}
		if s, ok := v.(string); ok {
			r.Vars[name] = s
		} else {
			r.Vars[name] = encode(v)
		}
	default:
		return fmt.Errorf("an unknown expectation")
	}
	return nil
}

// compare holds a text to "== text", "!= text" or "~ regular expression".
func compare(got, test string) error {
	op, want, _ := strings.Cut(test, " ")
	switch op {
	case "==":
		if got != want {
			return fmt.Errorf("it is %q", got)
		}
	case "!=":
		if got == want {
			return fmt.Errorf("it is")
		}
	case "~":
		re, err := regexp.Compile(want)
		if err != nil {
			return err
		}
		if !re.MatchString(got) {
			return fmt.Errorf("it is %q", got)
		}
	default:
		return fmt.Errorf("a comparison is ==, != or ~")
	}
	return nil
}

func decode(s string) (v any, err error) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // decoded from JSON a moment ago
		panic(err)
	}
	return string(b)
}

// find follows a JSON pointer; "/-" is the last element of an array.
func find(doc any, pointer string) (any, bool) {
	if pointer == "" || pointer == "/" {
		return doc, true
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		switch v := doc.(type) {
		case map[string]any:
			next, ok := v[part]
			if !ok {
				return nil, false
			}
			doc = next
		case []any:
			n, err := strconv.Atoi(part)
			if part == "-" {
				n, err = len(v)-1, nil
			}
			if err != nil || n < 0 || n >= len(v) {
				return nil, false
			}
			doc = v[n]
		default:
			return nil, false
		}
	}
	return doc, true
}

// subset reports where got lacks something of want: objects may have more
// members, arrays have as many elements.
func subset(at string, want, got any) error {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is %s", at, encode(got))
		}
		for name, v := range w {
			other, ok := g[name]
			if !ok {
				return fmt.Errorf("there is no %s/%s", at, name)
			}
			if err := subset(at+"/"+name, v, other); err != nil {
				return err
			}
		}
		return nil
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Errorf("%s is %s", at, encode(got))
		}
		for i := range w {
			if err := subset(at+"/"+strconv.Itoa(i), w[i], g[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Errorf("%s is %s", at, encode(got))
	}
	return nil
}
