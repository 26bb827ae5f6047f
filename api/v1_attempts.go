package api

import (
	"giro"
)

var attemptsAnswer = &schema{kind: kindList, item: &schema{kind: kindObject, name: "RailAttempt", fields: []field{
	{name: "at", schema: plainText, about: "When the rail had answered."},
	{name: "instruction", schema: plainText, about: "Its id never changes between attempts: the rail does at most once what it is told under it."},
	{name: "act", schema: oneOf("submit", "lookup", "message"), about: "It was handed over; it was asked about; the rail said something by itself, or a test call in its place."},
	{name: "result", schema: plainText, about: "A status as giro understands it, authorised, absent (it never arrived), or no answer."},
	{name: "code", schema: null(plainText), about: "Why it failed."},
	{name: "request", schema: &schema{kind: kindObject, name: "RailRequest", nullable: true, fields: []field{
		{name: "method", schema: plainText}, {name: "path", schema: plainText}, {name: "body", schema: &schema{kind: kindAny}, about: "null: it had none."}}},
		about: "null: nothing was sent, or what was sent is not known any more because the customer was changed since."},
	{name: "response", schema: &schema{kind: kindObject, name: "RailResponse", nullable: true, fields: []field{
		{name: "status", schema: plainInteger, about: "Of HTTP."}, {name: "body", schema: &schema{kind: kindAny}, about: "As it came. What was no JSON, and the beginning of what was long, is a text."}}},
		about: "null: there was no answer, or it was not kept."},
}}}

// attempts answers what a rail was asked about a movement.
func attempts(k giro.Kind) func(c *call) error {
	return func(c *call) error {
		m, err := c.movement(k)
		if err != nil {
			return err
		}
		list, err := c.engine().Recall(c.ctx, m)
		if err != nil {
			return err
		}
		return sendList(c, list, func(b []byte, r giro.Recalled) []byte {
			a := appender{b: b}
			a.text("at", giro.TimeOf(r.At).Format("2006-01-02T15:04:05.000000Z"))
			a.text("instruction", r.Instruction)
			a.text("act", r.Act)
			a.text("result", r.Result)
			a.maybe("code", r.Code)
			a.spoken("request", r.Request)
			a.spoken("response", r.Answer)
			return a.close()
		})
	}
}

func (a *appender) spoken(name string, s *giro.Spoken) {
	if s == nil {
		a.maybe(name, "")
		return
	}
	a.key(name)
	o := appender{b: a.b}
	if s.Method != "" {
		o.text("method", s.Method)
		o.text("path", s.Path)
	} else {
		o.number("status", int64(s.Status))
	}
	body := s.Body
	if body == nil {
		body = []byte("null")
	}
	o.raw("body", body)
	a.b = o.close()
}
