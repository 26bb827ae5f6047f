package giro

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// RailAccount is a merchant's own account at the provider behind a rail, for
// live mode. Its secret is stored sealed with the installation's key.
type RailAccount struct {
	Rail      string `json:"rail"`
	BaseURL   string `json:"base_url"` // without a slash at its end
	ClientID  string `json:"client_id"`
	NotifyURL string `json:"notify_url"` // where the provider reaches this giro

	// AbsentAfterSeconds is how long after an instruction was handed over a
	// provider that does not know it proves that it never arrived: longer than a
	// request can be on its way.
	AbsentAfterSeconds int64 `json:"absent_after"`

	ClientSecret string `json:"-"` // plain; never in an answer

	Created int64 `json:"-"` // µs
	Updated int64 `json:"-"` // µs
	Version int64 `json:"-"` // 0: not stored yet
}

// AbsentAfterDefault is AbsentAfterSeconds where nothing else is said: four
// times what one exchange may take.
const AbsentAfterDefault = 120

type storedRailAccount struct {
	RailAccount
	ID     UUID   `json:"id"`
	Sealed string `json:"sealed"`
}

const sealRail = "rail"

func railLookup(m *Merchant, rail string) string { return m.ID.String() + "/" + rail }

// RailAccount returns a merchant's account at the provider behind a rail, with
// its secret, or CodeNotFound.
func (e *Engine) RailAccount(ctx context.Context, m *Merchant, rail string) (*RailAccount, error) {
	_, s, err := e.railAccount(ctx, m, rail)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, Refuse(CodeNotFound, "", "this merchant has no account at the rail")
	}
	return &s.RailAccount, nil
}

func (e *Engine) railAccount(ctx context.Context, m *Merchant, rail string) (*StoredDocument, *storedRailAccount, error) {
	d, err := e.Store.DocumentByLookup(ctx, DocRailAccount, railLookup(m, rail))
	if err != nil || d == nil {
		return nil, nil, err
	}
	s := &storedRailAccount{}
	if err := json.Unmarshal(d.Data, s); err != nil {
		return nil, nil, err
	}
	s.Created, s.Updated, s.Version = d.Created, d.Updated, d.Version
	s.ClientSecret, err = e.Secret.Open(sealRail, d.Lookup, s.Sealed)
	return d, s, err
}

// PutRailAccount stores a merchant's account at the provider behind a rail, in
// place of an earlier one; without a secret the earlier one's stays. The result
// is nil where the call's Idempotency-Key was used before.
func (e *Engine) PutRailAccount(ctx context.Context, call *Call, m *Merchant, a RailAccount) (*RailAccount, error) {
	if _, ok := e.Rails[a.Rail].(Listener); !ok {
		return nil, Refuse(CodeNotFound, "", "there is no rail of this name with accounts")
	}
	d, old, err := e.railAccount(ctx, m, a.Rail)
	if err != nil {
		return nil, err
	}
	if d == nil {
		d = &StoredDocument{Kind: DocRailAccount, ID: e.NewID(e.Now()), Book: BookOf(m.Number, true), Lookup: railLookup(m, a.Rail)}
	}
	if a.ClientSecret == "" {
		if old == nil {
			return nil, Refuse(CodeMissingField, "/client_secret", "is required")
		}
		a.ClientSecret = old.ClientSecret
	}
	a.BaseURL = strings.TrimRight(a.BaseURL, "/")
	data, err := json.Marshal(&storedRailAccount{RailAccount: a, ID: d.ID, Sealed: e.Secret.Seal(sealRail, d.Lookup, a.ClientSecret)})
	if err != nil {
		return nil, err
	}
	d.Data = data
	v, err := e.put(ctx, call, Refuse(CodeConflict, "", "the account was set by another request; read it again"), func(w []StoredDocument) (any, error) {
		stored := a
		stored.Created, stored.Updated, stored.Version = w[0].Created, w[0].Updated, w[0].Version
		return &stored, nil
	}, d)
	stored, _ := v.(*RailAccount)
	return stored, err
}

// DeleteRailAccount forgets an account. It is refused while the merchant's
// settings still send something to the rail.
func (e *Engine) DeleteRailAccount(ctx context.Context, call *Call, m *Merchant, rail string) error {
	for means, name := range m.Rails {
		if name == rail {
			return Refuse(CodeInvalidState, "", "the merchant's "+means+" goes to this rail; set its rails first")
		}
	}
	d, _, err := e.railAccount(ctx, m, rail)
	if err != nil {
		return err
	}
	if d == nil {
		return Refuse(CodeNotFound, "", "this merchant has no account at the rail")
	}
	d.Gone = true
	_, err = e.Put(ctx, call, Refuse(CodeConflict, "", "the account was changed by another request"), d)
	return err
}

// railMessage is a message of a rail as it came: kept before it is acted upon,
// and for good.
type railMessage struct {
	Rail         string   `json:"rail"`
	Message      string   `json:"message"`
	Instructions []string `json:"instructions"`
	Unknown      bool     `json:"unknown,omitempty"` // about no movement of the merchant
	Body         []byte   `json:"body"`
}

// Heard takes a message of a rail's provider to a merchant. When it returns nil
// the message is kept, and the rail is going to be asked about the movements
// that it names: what it says is a hint, what the rail answers is the outcome.
// The same message again, and one about nothing that is known, changes nothing.
// A message that is not the provider's is refused with CodeUnauthenticated.
func (e *Engine) Heard(ctx context.Context, m *Merchant, rail string, header func(name string) string, body []byte) error {
	l, ok := e.Rails[rail].(Listener)
	if !ok {
		return Refuse(CodeNotFound, "", "there is no rail of this name that is told of anything")
	}
	book := BookOf(m.Number, true)
	said, err := l.Read(ctx, book, header, body)
	if err != nil {
		return err
	}
	lookup := DocumentKey{Kind: DocRailMessage, Lookup: strconv.FormatInt(int64(book), 10) + "/" + rail + "/" + said.ID}
	message := railMessage{Rail: rail, Message: said.ID, Instructions: said.Instructions, Unknown: true, Body: body}
	keys := Keys{Books: []Book{book}, Documents: []DocumentKey{lookup}}
	var about []*Movement
	for _, instruction := range said.Instructions {
		kind, id, ok := movementOf(instruction)
		if !ok {
			continue
		}
		seen, err := e.Store.Movement(ctx, book, kind, id)
		if err != nil {
			return err
		}
		if seen == nil || seen.Detail.Rail != rail {
			continue
		}
		about, message.Unknown = append(about, seen), false
		keys.Movements = append(keys.Movements, MovementKey{book, kind, id})
	}
	data, err := json.Marshal(&message)
	if err != nil {
		return err
	}
	id := e.NewID(e.Now())
	_, err = e.do(ctx, &command{call: machine(m, book), keys: keys, decide: func(b *Batch) (any, error) {
		if b.document(lookup) != nil {
			return nil, nil // heard before
		}
		b.head(book, m.ID)
		b.write(&StoredDocument{Kind: DocRailMessage, ID: id, Book: book, Lookup: lookup.Lookup, Created: b.now(book), Updated: b.now(book), Data: data})
		for _, seen := range about {
			if b.movement(seen.ID) != nil {
				b.schedule(Job{JobKey: JobKey{seen.ID, JobAsk}, Book: book, MovementKind: seen.Kind}, b.now(book))
			}
		}
		return nil, nil
	}})
	return err
}

// movementOf reads the id of an instruction, "po_…-1".
func movementOf(instruction string) (Kind, UUID, bool) {
	object, _, ok := strings.Cut(instruction, "-")
	prefix, _, _ := strings.Cut(object, "_")
	for _, k := range Kinds {
		if k.Prefix() == prefix {
			id, valid := ParseID(prefix, object)
			return k, id, ok && valid
		}
	}
	return "", UUID{}, false
}

// followUps are the ages at which a payout that succeeded on a provider's rail is
// asked about once more: what came back afterwards is told by a message, which
// may be lost. A provider repeats it for three days.
var followUps = []time.Duration{time.Hour, 24 * time.Hour, 4 * 24 * time.Hour, 10 * 24 * time.Hour}

// followUp schedules the next question about a payout that has succeeded, where
// its rail could still tell of it.
func (e *Engine) followUp(b *Batch, m *Movement) {
	if m.Kind != KindPayout || m.Status != StatusSucceeded {
		return
	}
	if _, ok := e.Rails[m.Detail.Rail].(Listener); !ok {
		return
	}
	now := b.now(m.Book)
	for _, age := range followUps {
		if due := m.Created + age.Microseconds(); due > now {
			b.schedule(Job{JobKey: JobKey{m.ID, JobAsk}, Book: m.Book, MovementKind: m.Kind}, due)
			return
		}
	}
}

// askAgain is when a rail that did not answer about a movement without an open
// instruction is asked once more.
const askAgain = time.Minute

// ask asks the rail about a movement because somebody said that something has
// happened to it, whatever its status.
func (e *Engine) ask(ctx context.Context, mer *Merchant, m *Movement) error {
	drop := func(b *Batch) { b.drop(JobKey{m.ID, JobAsk}) }
	if m.Detail.Step == nil && m.Detail.Steps == 0 {
		_, err := e.do(ctx, &command{owed: true, call: machine(mer, m.Book), keys: movementKeys(mer, m), decide: func(b *Batch) (any, error) { drop(b); return nil, nil }})
		return err
	}
	var charge *Movement
	if m.Kind == KindRefund {
		var err error
		if charge, err = e.Store.Movement(ctx, m.Book, KindCharge, m.Parent); err != nil {
			return err
		}
	}
	step := m.Detail.Step
	if step == nil { // it is final: the last instruction is what the rail knows
		step = &Instruction{ID: m.ID.ID(m.Kind.Prefix()) + "-" + itoa(m.Detail.Steps), Op: opOf[m.Kind], Amount: m.Amount}
	}
	out, railErr := e.attempt(m, charge, step, true, nil)
	keys, heard := movementKeys(mer, m), heardOf(step, true, out)
	keys.Documents = append(keys.Documents, heard.keys()...)
	_, err := e.do(ctx, &command{owed: true, call: machine(mer, m.Book), keys: keys, decide: func(b *Batch) (any, error) {
		w := b.movement(m.ID)
		if w == nil {
			drop(b)
			return nil, nil
		}
		if railErr != nil {
			b.schedule(Job{JobKey: JobKey{w.ID, JobAsk}, Book: w.Book, MovementKind: w.Kind}, b.now(w.Book)+askAgain.Microseconds())
			return nil, nil
		}
		drop(b)
		var of *Movement
		if w.Kind == KindRefund {
			of = b.movement(w.Parent)
		}
		if w.Detail.Step != nil && w.Detail.Step.ID == step.ID && w.Sent {
			b.keepHeard(w, heard)
			return nil, e.hear(b, mer, w, of, true, out, nil)
		}
		e.followUp(b, w)
		return nil, e.late(b, mer, w, of, step, out, heard)
	}})
	return err
}

var opOf = map[Kind]Op{KindCharge: OpCharge, KindRefund: OpRefund, KindPayout: OpPayout}

// late applies what a rail says of a movement that has nothing outstanding: what
// was sent came back, or was credited. What says nothing new is nothing; what
// contradicts is kept in the timeline and reported, and moves nothing.
func (e *Engine) late(b *Batch, mer *Merchant, m, charge *Movement, step *Instruction, out Outcome, heard *heard) error {
	news, same := false, false
	switch m.Status {
	case StatusSucceeded:
		news = m.Kind != KindCharge && (out.Verdict == VerdictReturned || out.Verdict == VerdictRefunded)
		same = out.Verdict == VerdictSucceeded
	case StatusReturned:
		news = m.Kind == KindPayout && out.Verdict == VerdictRefunded
		same = out.Verdict == VerdictReturned
	case StatusRefunded:
		same = out.Verdict == VerdictRefunded || m.Kind == KindCharge && out.Verdict == VerdictSucceeded
	case StatusFailed, StatusCanceled:
		same = out.Verdict == VerdictFailed || out.Verdict == VerdictCanceled || out.Verdict == VerdictAbsent
	case StatusPending, StatusOnHold:
		// Nothing is out: its next instruction will be asked about.
		return nil
	}
	if same {
		return nil
	}
	said := m.said(b.now(m.Book), step, true, out, nil)
	said.Act = "message"
	m.note(said)
	m.Dirty = true
	b.keepHeard(m, heard)
	switch {
	case !news:
		e.Logf("ALERT: rail %s says that %s is %s, which is %s here; a person has to look", m.Detail.Rail, step.ID, out.Verdict, m.Status)
		return nil
	case m.Status == StatusReturned:
		return b.change(mer, m, nil, CauseGiveBack)
	}
	return e.verdict(b, mer, m, charge, out)
}
