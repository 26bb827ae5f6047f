package giro

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Duty is what a person does at a merchant: the role in which the dashboard
// shows them. Whatever a duty does not name it may not do.
type Duty string

const (
	DutyOwner     Duty = "owner"     // everything, owners included
	DutyAdmin     Duty = "admin"     // everything but owners
	DutyDeveloper Duty = "developer" // keys, webhooks, sandbox; moves test money alone
	DutyMaker     Duty = "maker"     // makes payments, decides none
	DutyApprover  Duty = "approver"  // decides what waits, makes none
	DutySupport   Duty = "support"   // reads payments and refunds them; sees no balances
	DutyViewer    Duty = "viewer"    // reads
)

// Duties lists all of them.
var Duties = []Duty{DutyOwner, DutyAdmin, DutyDeveloper, DutyMaker, DutyApprover, DutySupport, DutyViewer}

// Permission is what a route asks of a person.
type Permission string

const (
	MayOwn            Permission = "self"             // their own session and preferences: everybody
	MayReadPayments   Permission = "payments.read"    // movements, customers, sources, events, figures, search
	MayReadBalances   Permission = "balances.read"    // balances, accounts, ledger
	MayCharge         Permission = "charges.write"    // charges and captures
	MayRefund         Permission = "refunds.write"    // refunds
	MayPayOut         Permission = "payouts.write"    // payouts
	MayTransfer       Permission = "transfers.write"  // transfers and sub-accounts
	MayKeepCustomers  Permission = "customers.write"  // customers and their sources
	MayDecide         Permission = "movements.decide" // release, confirm, fail, return, credit back
	MayReadDevelopers Permission = "developers.read"  // keys, endpoints, deliveries, request log
	MayDevelop        Permission = "developers.write" // the same, changed
	MayUseSandbox     Permission = "sandbox.write"    // what exists in test mode alone
	MayReadTeam       Permission = "team.read"        // people, duties, invitations
	MayManageTeam     Permission = "team.write"       // the same, changed
	MaySetUp          Permission = "settings.write"   // the merchant and its providers
	MayReadAudit      Permission = "audit.read"       // what people did
	MayShareViews     Permission = "views.write"      // saved views
	MayVerify         Permission = "ledger.verify"    // recompute the ledger
	MayNever          Permission = "none"             // not with a session
)

// Permissions lists what a duty can have, in the order of the matrix.
var Permissions = []Permission{MayOwn, MayReadPayments, MayReadBalances, MayCharge, MayRefund, MayPayOut, MayTransfer, MayKeepCustomers, MayDecide,
	MayReadDevelopers, MayDevelop, MayUseSandbox, MayReadTeam, MayManageTeam, MaySetUp, MayReadAudit, MayShareViews, MayVerify}

var (
	dutyPermissions = map[Duty][]Permission{
		DutyOwner: Permissions,
		DutyAdmin: Permissions,
		DutyDeveloper: {MayOwn, MayReadPayments, MayReadBalances, MayReadDevelopers, MayDevelop, MayUseSandbox, MayReadTeam,
			MayShareViews, MayVerify},
		DutyMaker: {MayOwn, MayReadPayments, MayReadBalances, MayCharge, MayRefund, MayPayOut, MayTransfer, MayKeepCustomers, MayReadTeam,
			MayShareViews, MayVerify},
		DutyApprover: {MayOwn, MayReadPayments, MayReadBalances, MayDecide, MayReadTeam, MayShareViews, MayVerify},
		DutySupport:  {MayOwn, MayReadPayments, MayRefund, MayShareViews},
		DutyViewer:   {MayOwn, MayReadPayments, MayReadBalances, MayReadTeam},
	}
	testPermissions = map[Duty][]Permission{
		DutyDeveloper: {MayCharge, MayRefund, MayPayOut, MayTransfer, MayKeepCustomers, MayDecide},
	}
)

// May reports whether a duty has a permission in test or live mode.
func (d Duty) May(p Permission, live bool) bool {
	return slices.Contains(dutyPermissions[d], p) || !live && slices.Contains(testPermissions[d], p)
}

// Person is somebody who signs in. What they may do at a merchant is their
// Member there.
type Person struct {
	ID          UUID              `json:"id"`
	Email       string            `json:"email"` // lower case
	Name        string            `json:"name"`
	Password    string            `json:"password"` // argon2id, in PHC form
	Preferences map[string]string `json:"preferences,omitempty"`
	Created     int64             `json:"created"`             // µs
	SignedIn    int64             `json:"signed_in,omitempty"` // µs, the last time
	Version     int64             `json:"-"`
}

// Member is a person's place in a merchant's team.
type Member struct {
	ID       UUID  `json:"id"`
	Person   UUID  `json:"person"`
	Merchant UUID  `json:"merchant"`
	Number   int64 `json:"number"` // of the merchant
	Duty     Duty  `json:"role"`
	Created  int64 `json:"created"` // µs
	Version  int64 `json:"-"`
}

// The purposes of an invitation.
const (
	InviteFirst = "first" // the installation's first owner, who says what their e-mail address is
	InviteJoin  = "join"  // a place in a team
	InviteReset = "reset" // a new password
)

// Invitation is a link that works once. Its token is stored as a keyed hash
// alone.
type Invitation struct {
	ID       UUID   `json:"id"`
	Purpose  string `json:"purpose"`
	Merchant UUID   `json:"merchant"`
	Number   int64  `json:"number"` // of the merchant
	Email    string `json:"email,omitempty"`
	Duty     Duty   `json:"role,omitempty"`
	Person   UUID   `json:"person,omitzero"` // whose password is reset
	By       string `json:"by,omitempty"`    // who made it
	Created  int64  `json:"created"`         // µs
	Expires  int64  `json:"expires"`         // µs
}

// How long links work.
const (
	invitationLife = 7 * 24 * time.Hour
	resetLife      = 24 * time.Hour
)

func memberLookup(number int64, person UUID) string { return itoa(int(number)) + "/" + person.String() }

// NormalEmail returns the form under which an e-mail address is known.
func NormalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

func decodePerson(d *StoredDocument) (*Person, error) {
	p := &Person{}
	if err := json.Unmarshal(d.Data, p); err != nil {
		return nil, err
	}
	p.Version = d.Version
	return p, nil
}

func decodeMember(d *StoredDocument) (*Member, error) {
	m := &Member{}
	if err := json.Unmarshal(d.Data, m); err != nil {
		return nil, err
	}
	m.Version = d.Version
	return m, nil
}

// PersonByID returns a person, or nil.
func (e *Engine) PersonByID(ctx context.Context, id UUID) (*Person, error) {
	d, err := e.Store.Document(ctx, DocPerson, id)
	if d == nil || err != nil {
		return nil, err
	}
	return decodePerson(d)
}

// PersonByEmail returns a person, or nil.
func (e *Engine) PersonByEmail(ctx context.Context, email string) (*Person, error) {
	d, err := e.Store.DocumentByLookup(ctx, DocPerson, NormalEmail(email))
	if d == nil || err != nil {
		return nil, err
	}
	return decodePerson(d)
}

// Members returns the places of a person, the oldest first.
func (e *Engine) Members(ctx context.Context, person UUID) ([]*Member, error) {
	return e.members(ctx, DocumentQuery{Kind: DocMember, Book: AllBooks, Parent: person, Ascending: true, Limit: 1000})
}

// Team returns the people of a merchant, the oldest first.
func (e *Engine) Team(ctx context.Context, number int64) ([]*Member, error) {
	return e.members(ctx, DocumentQuery{Kind: DocMember, Book: BookOf(number, false), Ascending: true, Limit: 1000})
}

func (e *Engine) members(ctx context.Context, q DocumentQuery) ([]*Member, error) {
	docs, err := e.Store.Documents(ctx, q)
	if err != nil {
		return nil, err
	}
	list := make([]*Member, len(docs))
	for i, d := range docs {
		if list[i], err = decodeMember(d); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// People reports whether anybody has a place in any team.
func (e *Engine) People(ctx context.Context) (bool, error) {
	docs, err := e.Store.Documents(ctx, DocumentQuery{Kind: DocPerson, Book: Installation, Limit: 1})
	return len(docs) > 0, err
}

func (s Secret) hashLink(token string) string {
	h := s.MAC("invitation", token)
	return hex.EncodeToString(h[:])
}

// NewInvitation is an invitation beside its link's token, which is shown this
// once.
type NewInvitation struct {
	Invitation *Invitation
	Token      string
}

// Invite makes a link that works once. A first link replaces the ones before it.
// The result is nil where the call's Idempotency-Key was used before: its Answer
// has it.
func (e *Engine) Invite(ctx context.Context, call *Call, i Invitation) (*NewInvitation, error) {
	token := random(40) // 200 bits
	now := e.Now()
	life := invitationLife
	if i.Purpose == InviteReset {
		life = resetLife
	}
	i.ID, i.Created, i.Expires, i.Email = e.NewID(now), Micros(now), Micros(now.Add(life)), NormalEmail(i.Email)
	data, err := json.Marshal(&i)
	if err != nil {
		return nil, err
	}
	book := BookOf(i.Number, false)
	d := StoredDocument{Kind: DocInvitation, ID: i.ID, Book: book, Lookup: e.Secret.hashLink(token), Created: i.Created, Updated: i.Created, Data: data}
	keys := Keys{}
	old, err := e.Store.Documents(ctx, DocumentQuery{Kind: DocInvitation, Book: book, Limit: 1000})
	if err != nil {
		return nil, err
	}
	if i.Purpose == InviteJoin {
		if len(old) >= 500 {
			return nil, Refuse(CodeConflict, "", "too many invitations are open; withdraw some")
		}
		if p, err := e.PersonByEmail(ctx, i.Email); err != nil {
			return nil, err
		} else if p != nil {
			m, err := e.Store.DocumentByLookup(ctx, DocMember, memberLookup(i.Number, p.ID))
			if err != nil {
				return nil, err
			}
			if m != nil {
				return nil, Refuse(CodeConflict, "/email", "this person is in the team already")
			}
		}
	}
	for _, o := range old {
		var was Invitation
		if err := json.Unmarshal(o.Data, &was); err != nil {
			return nil, err
		}
		// One open link per purpose and address: a second one replaces the first.
		if was.Purpose == i.Purpose && was.Email == i.Email && was.Person == i.Person {
			keys.Documents = append(keys.Documents, DocumentKey{Kind: DocInvitation, ID: o.ID})
		}
	}
	v, err := e.do(ctx, &command{call: call, keys: keys, decide: func(b *Batch) (any, error) {
		for _, k := range keys.Documents {
			b.remove(k)
		}
		w := d
		b.write(&w)
		return &NewInvitation{&i, token}, nil
	}})
	made, _ := v.(*NewInvitation)
	return made, err
}

// remove deletes a loaded document, if it is there.
func (b *Batch) remove(k DocumentKey) {
	if d := b.document(k); d != nil {
		w := *d
		w.Gone = true
		b.write(&w)
	}
}

// Invitations returns the open invitations of a merchant, the newest first.
func (e *Engine) Invitations(ctx context.Context, number int64) ([]*Invitation, error) {
	docs, err := e.Store.Documents(ctx, DocumentQuery{Kind: DocInvitation, Book: BookOf(number, false), Limit: 1000})
	if err != nil {
		return nil, err
	}
	now := Micros(e.Now())
	var list []*Invitation
	for _, d := range docs {
		i := &Invitation{}
		if err := json.Unmarshal(d.Data, i); err != nil {
			return nil, err
		}
		if i.Expires > now {
			list = append(list, i)
		}
	}
	return list, nil
}

// Withdraw ends an invitation of a merchant.
func (e *Engine) Withdraw(ctx context.Context, call *Call, number int64, id UUID) error {
	k := DocumentKey{Kind: DocInvitation, ID: id}
	_, err := e.do(ctx, &command{call: call, keys: Keys{Documents: []DocumentKey{k}}, decide: func(b *Batch) (any, error) {
		d := b.document(k)
		if d == nil || d.Book != BookOf(number, false) {
			return nil, Refuse(CodeNotFound, "", "there is no such invitation")
		}
		b.remove(k)
		return nil, nil
	}})
	return err
}

var errLink = Refuse(CodeLinkInvalid, "/token", "the link was used, has expired or never existed; ask for another")

// InvitationByToken returns the invitation behind a link, and the person whose
// address it is where giro knows them. CodeLinkInvalid: it was used, has
// expired or never existed.
func (e *Engine) InvitationByToken(ctx context.Context, token string) (*Invitation, *Person, error) {
	if len(token) != 40 {
		return nil, nil, errLink
	}
	d, err := e.Store.DocumentByLookup(ctx, DocInvitation, e.Secret.hashLink(token))
	if err != nil {
		return nil, nil, err
	}
	if d == nil {
		return nil, nil, errLink
	}
	i := &Invitation{}
	if err := json.Unmarshal(d.Data, i); err != nil {
		return nil, nil, err
	}
	if i.Expires <= Micros(e.Now()) {
		return nil, nil, errLink
	}
	var p *Person
	switch {
	case i.Purpose == InviteReset:
		p, err = e.PersonByID(ctx, i.Person)
		if err == nil && p == nil {
			return nil, nil, errLink
		}
	case i.Email != "":
		p, err = e.PersonByEmail(ctx, i.Email)
	}
	return i, p, err
}

// The length of a password in characters. There are no other rules: a long
// sentence is better than a short riddle (NIST SP 800-63B §3.1.1.2).
const (
	PasswordMin = 8
	PasswordMax = 200
)

func checkPassword(password string, p *Person) error {
	n := utf8.RuneCountInString(password)
	switch {
	case n < PasswordMin:
		return Refuse(CodeInvalidLength, "/password", "must have at least "+itoa(PasswordMin)+" characters")
	case n > PasswordMax:
		return Refuse(CodeTooLong, "/password", "must have at most "+itoa(PasswordMax)+" characters")
	case strings.EqualFold(password, p.Email), p.Name != "" && strings.EqualFold(password, p.Name), strings.Count(password, password[:1]) == len(password):
		return Refuse(CodeInvalidValue, "/password", "must not be the name, the address or one character repeated")
	}
	return nil
}

// Acceptance is what somebody sends who has followed a link.
type Acceptance struct {
	Token    string
	Email    string // asked for by a first link alone
	Name     string // of a person whom giro does not know yet
	Password string // a new one; of a known person who joins another team, theirs
}

// Accept uses a link up: the person exists then, with their password and their
// place in the team. Sessions from before a reset end. Wrong passwords of a
// known person count as failed sign-ins.
func (e *Engine) Accept(ctx context.Context, a Acceptance, from From) (*Person, error) {
	i, known, err := e.InvitationByToken(ctx, a.Token)
	if err != nil {
		return nil, err
	}
	email := i.Email
	if i.Purpose == InviteFirst {
		email = NormalEmail(a.Email)
		if email == "" {
			return nil, Refuse(CodeMissingField, "/email", "the field email is required")
		}
		if known, err = e.PersonByEmail(ctx, email); err != nil {
			return nil, err
		}
	}
	p := Person{Email: email, Name: strings.TrimSpace(a.Name)}
	switch {
	case known != nil && i.Purpose != InviteReset:
		if err := e.prove(ctx, known, a.Password, from); err != nil {
			return nil, err
		}
		p = *known
	default:
		if known != nil {
			p = *known
		} else {
			p.ID = e.NewID(e.Now())
			if p.Name == "" {
				return nil, Refuse(CodeMissingField, "/name", "the field name is required")
			}
		}
		if err := checkPassword(a.Password, &p); err != nil {
			return nil, err
		}
		if p.Password, err = e.hashPassword(ctx, a.Password); err != nil {
			return nil, err
		}
	}
	link := DocumentKey{Kind: DocInvitation, Lookup: e.Secret.hashLink(a.Token)}
	byEmail := DocumentKey{Kind: DocPerson, Lookup: p.Email}
	member := DocumentKey{Kind: DocMember, Lookup: memberLookup(i.Number, p.ID)}
	keys := Keys{Documents: []DocumentKey{link, byEmail, member}}
	sessions, err := e.Store.Documents(ctx, DocumentQuery{Kind: DocSession, Book: AllBooks, Parent: p.ID, Limit: sessionsMax})
	if err != nil {
		return nil, err
	}
	for _, s := range sessions {
		keys.Documents = append(keys.Documents, DocumentKey{Kind: DocSession, ID: s.ID})
	}
	memberID := e.NewID(e.Now())
	_, err = e.do(ctx, &command{keys: keys, decide: func(b *Batch) (any, error) {
		used := b.document(link)
		if used == nil {
			return nil, errLink
		}
		b.remove(link)
		old := b.document(byEmail)
		if (old == nil) != (known == nil) || old != nil && (old.ID != p.ID || old.Version != known.Version) {
			return nil, Refuse(CodeConflict, "", "this person was changed at the same moment; try again")
		}
		p := p
		if old == nil {
			p.Created = b.At
		}
		if err := b.writePerson(&p, old); err != nil {
			return nil, err
		}
		if i.Purpose == InviteReset {
			for _, k := range keys.Documents[3:] {
				b.remove(k)
			}
			return nil, nil
		}
		if b.document(member) != nil {
			return nil, nil // in the team already
		}
		data, err := json.Marshal(&Member{ID: memberID, Person: p.ID, Merchant: i.Merchant, Number: i.Number, Duty: i.Duty, Created: b.At})
		if err != nil {
			return nil, err
		}
		b.write(&StoredDocument{Kind: DocMember, ID: memberID, Book: BookOf(i.Number, false), Lookup: member.Lookup, Parent: p.ID, Created: b.At, Updated: b.At, Data: data})
		return nil, nil
	}})
	if err != nil {
		return nil, err
	}
	e.forgetSessions()
	return e.PersonByID(ctx, p.ID)
}

// writePerson stores a person; old is the present document, or nil.
func (b *Batch) writePerson(p *Person, old *StoredDocument) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	d := StoredDocument{Kind: DocPerson, ID: p.ID, Lookup: p.Email, Created: b.At, Data: data}
	if old != nil {
		d.Version, d.Created = old.Version, old.Created
	}
	d.Updated = b.At
	b.write(&d)
	return nil
}

// Place is a person in a merchant's team.
type Place struct {
	Member *Member
	Person *Person
}

// ChangeDuty gives a person of a merchant's team another duty, or with none
// takes their place away. Owners are changed by owners alone, and the last one
// stays (CodeLastOwner). The result is nil where the call's Idempotency-Key was
// used before.
func (e *Engine) ChangeDuty(ctx context.Context, call *Call, number int64, person UUID, to Duty, byOwner bool) (*Place, error) {
	team, err := e.Team(ctx, number)
	if err != nil {
		return nil, err
	}
	target := DocumentKey{Kind: DocMember, Lookup: memberLookup(number, person)}
	who := DocumentKey{Kind: DocPerson, ID: person}
	keys := Keys{Documents: []DocumentKey{target, who}}
	for _, m := range team {
		if m.Duty == DutyOwner && m.Person != person {
			keys.Documents = append(keys.Documents, DocumentKey{Kind: DocMember, ID: m.ID})
		}
	}
	v, err := e.do(ctx, &command{call: call, keys: keys, decide: func(b *Batch) (any, error) {
		d := b.document(target)
		if d == nil {
			return nil, Refuse(CodeNotFound, "", "there is no such person in the team")
		}
		m, err := decodeMember(d)
		if err != nil {
			return nil, err
		}
		if (m.Duty == DutyOwner || to == DutyOwner) && !byOwner {
			return nil, Refuse(CodeForbidden, "", "only an owner makes and changes owners")
		}
		if m.Duty == DutyOwner && to != DutyOwner {
			others := false
			for _, k := range keys.Documents[2:] {
				o := b.document(k)
				if o == nil {
					continue
				}
				other, err := decodeMember(o)
				if err != nil {
					return nil, err
				}
				others = others || other.Duty == DutyOwner
			}
			if !others {
				return nil, Refuse(CodeLastOwner, "", "this is the only owner")
			}
		}
		known := b.document(who)
		if known == nil {
			return nil, Refuse(CodeNotFound, "", "there is no such person in the team")
		}
		p, err := decodePerson(known)
		if err != nil {
			return nil, err
		}
		if to == "" {
			b.remove(target)
			return &Place{m, p}, nil
		}
		m.Duty = to
		w := *d
		if w.Data, err = json.Marshal(m); err != nil {
			return nil, err
		}
		w.Updated = b.At
		b.write(&w)
		return &Place{m, p}, nil
	}})
	if err != nil {
		return nil, err
	}
	e.forgetSessions()
	placed, _ := v.(*Place)
	return placed, nil
}

// Prefer stores a person's preferences, where those named are set and an empty
// value takes one away, and their name if it is not empty. The result is nil
// where the call's Idempotency-Key was used before.
func (e *Engine) Prefer(ctx context.Context, call *Call, person UUID, name string, change map[string]string) (*Person, error) {
	return e.changePerson(ctx, call, person, func(p *Person) error {
		p.Name = cmp.Or(name, p.Name)
		merged := map[string]string{}
		maps.Copy(merged, p.Preferences)
		for k, v := range change {
			if v == "" {
				delete(merged, k)
			} else {
				merged[k] = v
			}
		}
		p.Preferences = merged
		return nil
	})
}

func (e *Engine) changePerson(ctx context.Context, call *Call, person UUID, change func(*Person) error, gone ...DocumentKey) (*Person, error) {
	k := DocumentKey{Kind: DocPerson, ID: person}
	v, err := e.do(ctx, &command{call: call, keys: Keys{Documents: append([]DocumentKey{k}, gone...)}, decide: func(b *Batch) (any, error) {
		d := b.document(k)
		if d == nil {
			return nil, Refuse(CodeNotFound, "", "there is no such person")
		}
		p, err := decodePerson(d)
		if err != nil {
			return nil, err
		}
		if err := change(p); err != nil {
			return nil, err
		}
		for _, g := range gone {
			b.remove(g)
		}
		return p, b.writePerson(p, d)
	}})
	if err != nil {
		return nil, err
	}
	e.forgetSessions()
	p, _ := v.(*Person)
	return p, nil
}
