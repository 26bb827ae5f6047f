package giro

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Act is what a person did, as the audit log keeps it: written in the commit
// of what was done, changed by nothing after it.
type Act struct {
	ID        UUID            `json:"id"`
	Person    UUID            `json:"person"`
	Name      string          `json:"name"`
	Email     string          `json:"email"`
	Action    string          `json:"action"` // the operation of the API: createRefund
	Address   string          `json:"address,omitempty"`
	RequestID string          `json:"request_id,omitempty"`
	At        int64           `json:"at"`                // µs, real time
	Clock     int64           `json:"clock,omitempty"`   // µs that the book's clock was ahead
	Request   json.RawMessage `json:"request,omitempty"` // what was asked of a movement
	Changes   []Difference    `json:"changes,omitempty"`
}

// Difference is what an act did to one object: the members that differ.
type Difference struct {
	Kind   string          `json:"kind"` // charge, api_key, …
	Object UUID            `json:"object"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// changesMax bounds what one act keeps of its changes.
const changesMax = 20

// watch gathers what a command changes, for the audit log.
type watch struct {
	movements map[UUID]*Movement // as they were; nil: they were not
	order     []UUID
	documents []watched
}

type watched struct{ before, after *StoredDocument }

// seen notes a movement before its first change.
func (w *watch) seen(m, before *Movement) {
	if w == nil {
		return
	}
	if _, known := w.movements[m.ID]; !known {
		w.movements[m.ID] = before
		w.order = append(w.order, m.ID)
	}
}

// act writes a row of the audit log. object is what its page is found by.
func (b *Batch) act(a *Act, book Book, object UUID) error {
	row := *a
	row.ID, row.At, row.Clock = b.newID(b.At), b.At, b.now(book)-b.At
	data, err := json.Marshal(&row)
	if err != nil {
		return err
	}
	b.writes.Documents = append(b.writes.Documents, &StoredDocument{Kind: DocAct, ID: row.ID, Book: book, Parent: object, Version: 1, Created: b.At, Updated: b.At, Data: data})
	return nil
}

// record writes what a person's command did.
func (b *Batch) record(call *Call, result any) error {
	a := *call.Act
	w := b.watch
	var object UUID
	note := func(c Difference) {
		if object.IsZero() {
			object = c.Object
		}
		if len(a.Changes) < changesMax {
			a.Changes = append(a.Changes, c)
		}
	}
	for _, id := range w.order {
		m, was := b.movements[id], w.movements[id]
		if m == nil {
			continue
		}
		before, after, err := difference(movementMembers(was), movementMembers(m))
		if err != nil {
			return err
		}
		note(Difference{string(m.Kind), m.ID, before, after})
	}
	for _, d := range w.documents {
		if d.after.Kind == DocSession {
			continue // its signing in and out is the act itself
		}
		var before, after []byte
		if d.before != nil {
			before = d.before.Data
		}
		if !d.after.Gone {
			after = d.after.Data
		}
		from, to, err := documentDifference(before, after)
		if err != nil {
			return err
		}
		id := d.after.ID
		if d.after.Kind == DocMember {
			id = d.after.Parent // people know people
		}
		note(Difference{string(d.after.Kind), id, from, to})
	}
	if r, ok := result.(*Result); ok && r != nil && r.Movement != nil {
		object = r.Movement.ID
	}
	return b.act(&a, call.Book(), object)
}

// movementMembers is what the audit log says of a movement.
func movementMembers(m *Movement) map[string]json.RawMessage {
	if m == nil {
		return nil
	}
	text := func(s string) json.RawMessage { j, _ := json.Marshal(s); return j }
	number := func(n int64) json.RawMessage { j, _ := json.Marshal(n); return j }
	metadata, _ := json.Marshal(m.Detail.Metadata)
	deleted, _ := json.Marshal(m.Deleted)
	return map[string]json.RawMessage{
		"status": text(string(m.Status)), "amount": number(m.Amount), "amount_captured": number(m.Captured), "amount_refunded": number(m.Refunded),
		"currency": text(m.Currency.Lower()), "description": text(m.Detail.Description), "metadata": metadata, "deleted": deleted,
	}
}

// secretMembers never reach the audit log.
var secretMembers = []string{"password", "hash", "secret", "secrets", "old_secret", "admin_hash", "key_proof", "token"}

func documentDifference(before, after []byte) (json.RawMessage, json.RawMessage, error) {
	parse := func(data []byte) (map[string]json.RawMessage, error) {
		var m map[string]json.RawMessage
		if data == nil {
			return nil, nil
		}
		if err := json.Unmarshal(data, &m); err != nil {
			return nil, err
		}
		for k := range m {
			if slices.Contains(secretMembers, k) {
				delete(m, k)
			}
		}
		return m, nil
	}
	a, err := parse(before)
	if err != nil {
		return nil, nil, err
	}
	c, err := parse(after)
	if err != nil {
		return nil, nil, err
	}
	return difference(a, c)
}

// difference returns the members that are not equal, of both sides.
func difference(a, c map[string]json.RawMessage) (before, after json.RawMessage, err error) {
	from, to := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	for k, v := range a {
		if !bytes.Equal(v, c[k]) {
			from[k] = v
		}
	}
	for k, v := range c {
		if !bytes.Equal(v, a[k]) {
			to[k] = v
		}
	}
	if len(from) > 0 {
		if before, err = json.Marshal(from); err != nil {
			return nil, nil, err
		}
	}
	if len(to) > 0 {
		after, err = json.Marshal(to)
	}
	return before, after, err
}
