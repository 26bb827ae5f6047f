package api

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"giro"
)

var searchAnswer = &schema{kind: kindObject, name: "SearchResult", fields: []field{
	{name: "object", schema: oneOf("search_result")}, {name: "type", schema: plainText, about: "charge, refund, payout, transfer, customer, event, ledger_transaction, account, webhook_endpoint, api_key, person."}, {name: "id", schema: plainText},
	{name: "title", schema: null(plainText), about: "A name, a reference, an event's type."}, {name: "status", schema: null(plainText)}, {name: "amount", schema: null(plainInteger)}, {name: "currency", schema: null(plainText)},
	{name: "created", schema: plainInteger}, {name: "match", schema: oneOf("id", "reference", "text")},
}}

var searchRoute = &route{method: "GET", path: "/v1/search", id: "search", tag: "search", summary: "Find by id, reference, document, name, e-mail or metadata", access: accessSecret, status: 200, answer: &schema{kind: kindList, item: searchAnswer},
	about: "Ids of every kind, also their beginning, and bare UUIDs; references exactly; else the beginnings of words: of references, names, e-mail addresses, phones, identity documents, keys and accounts, and of values of metadata. Case and accents do not matter; every word of q has to fit. " +
		"Movements are found by words a moment after they were made (under load, later), each by at most 40 words of at most 64 bytes; a beginning that more than 500 words share answers the first of them.",
	params: []param{{name: "q", kind: paramText, max: 200, about: "What is looked for; at least two characters for words. Required."}, {name: "limit", kind: paramInteger, min: 1, max: 50, code: giro.CodeInvalidLimit, about: "20 if it is not sent."}},
	errors: []giro.Code{giro.CodeInvalidParameter, giro.CodeCardData}, handler: search}

// termsFound bounds the terms that one search looks at.
const termsFound = 500

// finding is something found.
type finding struct {
	kind, id, title, status string
	amount                  int64
	summed                  bool // there is an amount
	currency                string
	created                 int64
	match                   string
	order                   giro.UUID
}

// finder gathers what a search finds, each thing once.
type finder struct {
	c    *call
	list []finding
	seen map[string]bool
}

func (f *finder) add(v finding) {
	if !f.seen[v.id] {
		f.seen[v.id] = true
		f.list = append(f.list, v)
	}
}

func (f *finder) movement(m *giro.Movement, match string) {
	if m == nil || m.Deleted {
		return
	}
	title := m.Reference
	if title == "" && m.Detail.Recipient != nil {
		title = m.Detail.Recipient.Name
	}
	if title == "" {
		title = m.Detail.Description
	}
	f.add(finding{kind: string(m.Kind), id: m.ID.ID(m.Kind.Prefix()), title: title, status: string(m.Status), amount: m.Amount, summed: true, currency: m.Currency.Lower(), created: m.Created, match: match, order: m.ID})
}

func (f *finder) customer(d *giro.StoredDocument, match string) error {
	var v giro.Customer
	if err := json.Unmarshal(d.Data, &v); err != nil {
		return err
	}
	title := v.Name
	if v.Email != "" {
		title = strings.TrimSpace(title + " · " + v.Email)
	}
	f.add(finding{kind: "customer", id: d.ID.ID("cus"), title: title, created: d.Created, match: match, order: d.ID})
	return nil
}

// may reports whether the caller may see what this permission opens.
func (c *call) may(p giro.Permission) bool {
	return c.caller.In == nil || c.caller.Duty.May(p, c.caller.Live)
}

func search(c *call) error {
	q := strings.TrimSpace(c.query.text("q"))
	if q == "" {
		return giro.Refuse(giro.CodeInvalidParameter, "q", "send what is looked for")
	}
	limit := c.query.integer("limit", listLimit)
	f := &finder{c: c, seen: map[string]bool{}}
	for _, step := range []func(string) error{f.byID, f.byReference, f.byWords} {
		if err := step(q); err != nil {
			return err
		}
		if len(f.list) >= limit {
			break
		}
	}
	return sendList(c, f.list[:min(len(f.list), limit)], func(b []byte, v finding) []byte {
		a := appender{b: b}
		a.text("object", "search_result")
		a.text("type", v.kind)
		a.text("id", v.id)
		a.maybe("title", v.title)
		a.maybe("status", v.status)
		a.maybeNumber("amount", v.amount, v.summed)
		a.maybe("currency", v.currency)
		a.number("created", v.created/1_000_000)
		a.text("match", v.match)
		return a.close()
	})
}

// byID finds an id of any kind, the beginning of a movement's id, or a UUID.
func (f *finder) byID(q string) error {
	c, e := f.c, f.c.engine()
	q = strings.ToLower(q)
	if id, ok := giro.ParseUUID(q); ok {
		for _, k := range giro.Kinds {
			m, err := e.Store.Movement(c.ctx, c.book(), k, id)
			if err != nil {
				return err
			}
			f.movement(m, "id")
		}
		return f.document(giro.DocCustomer, id)
	}
	prefix, rest, cut := strings.Cut(q, "_")
	if !cut || len(rest) < 4 {
		return nil
	}
	for _, k := range giro.Kinds {
		if prefix != k.Prefix() {
			continue
		}
		from, to, ok := giro.IDRange(prefix, q)
		if !ok {
			return nil
		}
		if from == to {
			m, err := e.Store.Movement(c.ctx, c.book(), k, from)
			f.movement(m, "id")
			return err
		}
		list, _, err := e.Store.Movements(c.ctx, giro.MovementQuery{Book: c.book(), Kind: k, From: from, To: to, Limit: listLimit})
		if err != nil {
			return err
		}
		for _, m := range list {
			f.movement(m, "id")
		}
		return nil
	}
	id, ok := giro.ParseID(prefix, q)
	if !ok {
		return nil
	}
	switch prefix {
	case "cus":
		return f.document(giro.DocCustomer, id)
	case "we":
		if c.may(giro.MayReadDevelopers) {
			return f.document(giro.DocEndpoint, id)
		}
	case "key":
		if c.may(giro.MayReadDevelopers) {
			return f.document(giro.DocKey, id)
		}
	case "evt":
		v, err := e.EventByID(c.ctx, c.book(), id)
		if giro.Is(err, giro.CodeNotFound) {
			return nil
		}
		if err != nil || v == nil {
			return err
		}
		f.add(finding{kind: "event", id: v.ID.ID("evt"), title: v.Type, created: v.At, match: "id"})
	case "ltx":
		if !c.may(giro.MayReadBalances) {
			return nil
		}
		sequence := max(giro.SequenceOf(id), 1)
		found, err := e.Store.LedgerTransactions(c.ctx, giro.LedgerQuery{Book: c.book(), Sequence: sequence, Limit: 1})
		if err != nil {
			return err
		}
		for _, t := range found {
			if giro.UUID(t.ID) == id {
				f.add(finding{kind: "ledger_transaction", id: id.ID("ltx"), title: t.Cause, created: t.At, currency: strings.ToLower(t.Currency), match: "id"})
			}
		}
	case "acct":
		if !c.may(giro.MayReadBalances) {
			return nil
		}
		found, _, err := e.Store.Accounts(c.ctx, giro.AccountQuery{Book: c.book(), IDs: []giro.UUID{id}})
		if err != nil {
			return err
		}
		for _, one := range found {
			title := one.Name
			if title == "" {
				title = string(one.Role)
			}
			f.add(finding{kind: "account", id: one.ID.ID("acct"), title: title, currency: one.Currency.Lower(), amount: one.Balance, summed: true, created: one.Created, match: "id"})
		}
	case "per":
		if !c.may(giro.MayReadTeam) {
			return nil
		}
		team, err := e.Team(c.ctx, c.caller.Merchant.Number)
		if err != nil {
			return err
		}
		for _, m := range team {
			if m.Person != id {
				continue
			}
			p, err := e.PersonByID(c.ctx, id)
			if err != nil {
				return err
			}
			if p != nil {
				f.add(finding{kind: "person", id: id.ID("per"), title: p.Name + " · " + p.Email, status: string(m.Duty), created: m.Created, match: "id"})
			}
		}
	}
	return nil
}

// document finds a document of the caller's book by its id.
func (f *finder) document(kind giro.DocumentKind, id giro.UUID) error {
	d, err := f.c.engine().Store.Document(f.c.ctx, kind, id)
	if err != nil || d == nil || d.Book != f.c.book() {
		return err
	}
	switch kind {
	case giro.DocCustomer:
		return f.customer(d, "id")
	case giro.DocKey:
		var k giro.APIKey
		if err := json.Unmarshal(d.Data, &k); err != nil {
			return err
		}
		f.add(finding{kind: "api_key", id: id.ID("key"), title: strings.TrimSpace(k.Name + " " + k.Hint), created: d.Created, match: "id"})
	case giro.DocEndpoint:
		var p giro.Endpoint
		if err := json.Unmarshal(d.Data, &p); err != nil {
			return err
		}
		f.add(finding{kind: "webhook_endpoint", id: id.ID("we"), title: p.URL, created: d.Created, match: "id"})
	}
	return nil
}

// byReference finds the caller's own ids, exactly, at once.
func (f *finder) byReference(q string) error {
	if len(q) > 255 {
		return nil
	}
	c := f.c
	for _, k := range giro.Kinds {
		m, err := c.engine().Store.MovementByReference(c.ctx, c.book(), k, q)
		if err != nil {
			return err
		}
		f.movement(m, "reference")
	}
	d, err := c.engine().Store.DocumentByLookup(c.ctx, giro.DocCustomer, itoa(int64(c.book()))+"/"+q)
	if err != nil || d == nil || d.Book != c.book() {
		return err
	}
	return f.customer(d, "reference")
}

// byWords finds what has a word that begins with the longest word of q, and
// keeps what the others fit too.
func (f *finder) byWords(q string) error {
	words := giro.Words(giro.Fold(q))
	if plain := numberIn(q); plain != "" {
		words = []string{plain}
	}
	longest := ""
	for _, w := range words {
		if len(w) > len(longest) {
			longest = w
		}
	}
	if len(longest) < 2 {
		return nil
	}
	c := f.c
	terms, err := c.engine().Store.FindTerms(c.ctx, c.book(), longest, termsFound)
	if err != nil {
		return err
	}
	slices.SortStableFunc(terms, func(a, b giro.Term) int { return -slices.Compare(a.ID[:], b.ID[:]) })
	looked := 0
	for i, t := range terms {
		if i > 0 && terms[i-1].ID == t.ID {
			continue
		}
		if looked++; looked > 200 || len(f.list) >= 50 {
			return nil
		}
		if t.Kind == string(giro.DocCustomer) {
			d, err := c.engine().Store.Document(c.ctx, giro.DocCustomer, t.ID)
			if err != nil {
				return err
			}
			if d == nil || d.Book != c.book() || !fits(d.Data, words) {
				continue
			}
			if err := f.customer(d, "text"); err != nil {
				return err
			}
			continue
		}
		m, err := c.engine().Store.Movement(c.ctx, c.book(), giro.Kind(t.Kind), t.ID)
		if err != nil {
			return err
		}
		if m != nil && fits(m.AppendJSON(nil), words) {
			f.movement(m, "text")
		}
	}
	return nil
}

// fits reports whether each word begins one of the object's present terms: an
// older one may have been found.
func fits(data []byte, words []string) bool {
	terms, err := giro.TermsOf(data)
	if err != nil {
		return false
	}
	for _, w := range words {
		if !slices.ContainsFunc(terms, func(t string) bool { return strings.HasPrefix(t, w) }) {
			return false
		}
	}
	return true
}

// numberIn returns the digits of what looks like a document, phone or account
// written with its punctuation: 123.456.789-09; "" for anything else.
func numberIn(q string) string {
	var digits strings.Builder
	marks := 0
	for _, r := range q {
		switch {
		case r >= '0' && r <= '9':
			digits.WriteRune(r)
		case strings.ContainsRune(".-/() +", r):
			marks++
		case unicode.IsLetter(r):
			return ""
		default:
			return ""
		}
	}
	if marks == 0 || digits.Len() < 5 {
		return ""
	}
	return digits.String()
}
