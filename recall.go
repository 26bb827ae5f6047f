package giro

import (
	"context"
	"encoding/json"
	"strings"
)

// trace gives a movement the id by which the banks on the way know its latest
// instruction, where its rail makes one. Of a charge the payer's bank does, which
// is told with the payment.
func (e *Engine) trace(b *Batch, m *Movement) {
	w, ok := e.Rails[m.Detail.Rail].(Witness)
	if !ok {
		return
	}
	in := m.asked(m.instruction(), opOf[m.Kind], m.Amount)
	in.Now, in.Charge = TimeOf(b.now(m.Book)), b.movements[m.Parent]
	if id := w.EndToEnd(in); id != "" {
		m.Detail.EndToEnd = id
	}
}

// asked is an instruction of a movement as its rail gets it.
func (m *Movement) asked(id string, op Op, amount int64) Instruction {
	in := Instruction{ID: id, Op: op, Amount: amount, Currency: m.Currency, Book: m.Book, Movement: m}
	if m.Detail.Exchange != nil {
		in.Amount, in.Currency = m.Outside()
	}
	return in
}

func actOf(lookup bool) string {
	if lookup {
		return "lookup"
	}
	return "submit"
}

// said is an attempt as the timeline keeps it.
func (m *Movement) said(at int64, in *Instruction, lookup bool, out Outcome, railErr error) Attempt {
	a := Attempt{At: at, Instruction: in.ID, Act: actOf(lookup), Result: string(out.Verdict), Code: out.Code}
	if railErr != nil {
		a.Result, a.Code = "no answer", ""
	}
	if m.Kind == KindCharge {
		a.Op, a.Amount = in.Op, in.Amount
	}
	return a
}

// heard is a rail's answer that is kept as it came.
type heard struct {
	Instruction string          `json:"instruction"`
	At          int64           `json:"at"` // of the attempt
	Answer      json.RawMessage `json:"answer"`

	lookup string
}

// heardOf returns what is to be kept of an answer; nil: nothing. Of the many
// answers to one instruction as many are kept as attempts are.
func heardOf(in *Instruction, lookup bool, out Outcome) *heard {
	if out.Heard == nil {
		return nil
	}
	return &heard{Instruction: in.ID, Answer: out.Heard, lookup: in.ID + "/" + actOf(lookup) + "/" + itoa(in.Lookups%maxAttempts)}
}

func (h *heard) keys() []DocumentKey {
	if h == nil {
		return nil
	}
	return []DocumentKey{{Kind: DocRailAnswer, Lookup: h.lookup}}
}

// keepHeard keeps an answer in the commit that applies it.
func (b *Batch) keepHeard(m *Movement, h *heard) {
	if h == nil {
		return
	}
	now := b.now(m.Book)
	h.At = now
	data, err := json.Marshal(h)
	if err != nil {
		panic(err) // texts, and JSON that a rail has made
	}
	d := StoredDocument{Kind: DocRailAnswer, Book: m.Book, Parent: m.ID, Lookup: h.lookup, Created: now}
	if old := b.document(h.keys()[0]); old != nil {
		d = *old
	} else {
		d.ID = b.newID(now)
	}
	d.Data, d.Updated = data, now
	b.write(&d)
}

// Recalled is an attempt with what was said in it.
type Recalled struct {
	Attempt
	Request, Answer *Spoken
}

// Recall returns what a rail was asked about a movement, and what it answered,
// oldest first. What nobody sent anywhere has neither.
func (e *Engine) Recall(ctx context.Context, m *Movement) ([]Recalled, error) {
	list := make([]Recalled, len(m.Detail.Attempts))
	for i, a := range m.Detail.Attempts {
		list[i].Attempt = a
	}
	w, ok := e.Rails[m.Detail.Rail].(Witness)
	if !ok || len(list) == 0 {
		return list, nil
	}
	docs, err := e.Store.Documents(ctx, DocumentQuery{Kind: DocRailAnswer, Book: m.Book, Parent: m.ID, Limit: 100})
	if err != nil {
		return nil, err
	}
	kept := map[heardAt][]byte{}
	for _, d := range docs {
		var h heard
		if err := json.Unmarshal(d.Data, &h); err != nil {
			return nil, err
		}
		kept[heardAt{h.Instruction, h.At}] = h.Answer
	}
	var charge *Movement
	if m.Kind == KindRefund {
		if charge, err = e.Store.Movement(ctx, m.Book, KindCharge, m.Parent); err != nil {
			return nil, err
		}
	}
	payer, since, err := e.payer(ctx, m)
	if err != nil {
		return nil, err
	}
	for i := range list {
		a := &list[i].Attempt
		if !strings.Contains(a.Instruction, "-") {
			continue // the word of a test call
		}
		in := m.asked(a.Instruction, opOf[m.Kind], m.Amount)
		if a.Op != "" {
			in.Op = a.Op
			if m.Detail.Exchange == nil {
				in.Amount = a.Amount
			}
		}
		in.Charge, in.Now = charge, TimeOf(a.At)
		if since <= a.At { // else somebody has changed the customer meanwhile
			in.Payer = payer
		}
		list[i].Request, list[i].Answer = w.Recall(in, *a, kept[heardAt{a.Instruction, a.At}])
	}
	return list, nil
}

type heardAt struct {
	instruction string
	at          int64
}

// payer returns who pays a charge, and since when (µs) that has been known as it
// is; nil: nobody in particular.
func (e *Engine) payer(ctx context.Context, m *Movement) (*Party, int64, error) {
	if m.Kind != KindCharge || m.Customer.IsZero() {
		return nil, 0, nil
	}
	d, err := e.Store.Document(ctx, DocCustomer, m.Customer)
	if err != nil || d == nil { // a customer may be deleted meanwhile
		return nil, 0, err
	}
	var c Customer
	if err := json.Unmarshal(d.Data, &c); err != nil {
		return nil, 0, err
	}
	return &c.Party, d.Updated, nil
}
