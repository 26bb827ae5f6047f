package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"giro"
	"giro/money"
)

// dialectWire is what the dialect keeps of a body to write the object back as
// its caller wrote it; a movement made on v1 has none.
type dialectWire struct {
	Form     string   `json:"form"`               // which body made it: payout, boleto, payin, …
	Customer string   `json:"customer"`           // customer_id
	Currency string   `json:"currency"`           // as it was written
	Method   string   `json:"method,omitempty"`   // payment or payout method; none while a checkout is open
	Branch   string   `json:"branch,omitempty"`   // as it was sent
	Methods  []string `json:"methods,omitempty"`  // that a checkout offers
	Redirect string   `json:"redirect,omitempty"` // where a checkout sends its payer back to
}

func wireOf(m *giro.Movement) (w dialectWire) {
	if len(m.Detail.Wire) > 0 {
		_ = json.Unmarshal(m.Detail.Wire, &w) // what another dialect keeps says nothing here
	}
	return w
}

// dialectView is how one state of a movement is told: the table of the
// dialect's statuses.
type dialectView struct {
	kind        giro.Kind
	status      giro.Status
	variant     string // "", open: a checkout without a method; expired: canceled because nobody paid
	own         string // as payment or payout
	transaction string
}

var dialectViews = []dialectView{
	{giro.KindCharge, giro.StatusPending, "", "pending", "pending"},
	{giro.KindCharge, giro.StatusPending, "open", "pending", "open"},
	{giro.KindCharge, giro.StatusOnHold, "", "pending", "pending"},
	{giro.KindCharge, giro.StatusSucceeded, "", "paid", "paid"},
	{giro.KindCharge, giro.StatusRefunded, "", "paid", "paid"},
	{giro.KindCharge, giro.StatusFailed, "", "denied", "canceled"},
	{giro.KindCharge, giro.StatusCanceled, "", "denied", "canceled"},
	{giro.KindCharge, giro.StatusCanceled, "expired", "expired", "canceled"},
	{giro.KindPayout, giro.StatusPending, "", "pending", "pending"},
	{giro.KindPayout, giro.StatusOnHold, "", "onhold", "pending"},
	{giro.KindPayout, giro.StatusSucceeded, "", "success", "paid"},
	{giro.KindPayout, giro.StatusFailed, "", "failed", "canceled"},
	{giro.KindPayout, giro.StatusCanceled, "", "failed", "canceled"},
	{giro.KindPayout, giro.StatusReturned, "", "returned", "canceled"},
	{giro.KindPayout, giro.StatusRefunded, "", "refunded", "canceled"},
}

// viewOf finds a movement's row.
func viewOf(m *giro.Movement, w *dialectWire) *dialectView {
	variant := ""
	switch {
	case m.Status == giro.StatusPending && w.Form == formCheckout && w.Method == "":
		variant = "open"
	case m.Status == giro.StatusCanceled && m.Kind == giro.KindCharge && m.Detail.FailureCode == "expired":
		variant = "expired"
	}
	return viewIn(m.Kind, m.Status, variant)
}

func viewIn(kind giro.Kind, status giro.Status, variant string) *dialectView {
	for i := range dialectViews {
		if v := &dialectViews[i]; v.kind == kind && v.status == status && v.variant == variant {
			return v
		}
	}
	return &dialectView{kind: kind, status: status, own: "pending", transaction: "pending"}
}

// methodOf is the dialect's name of how a movement is paid.
func methodOf(m *giro.Movement, w *dialectWire) string {
	switch {
	case w.Method != "" || w.Form == formCheckout:
		return w.Method
	case m.Detail.Card != nil:
		return "credit_card"
	case m.Detail.Mobile != nil:
		return "mobile_money"
	case m.Detail.Method == "pix" || m.Detail.Method == "boleto":
		return m.Detail.Method
	}
	return "bank_transfer"
}

// dialectAmount writes an amount in a profile's way: with two decimals, or for
// jumppag whole amounts without.
func dialectAmount(profile string, amount int64, currency money.Currency) string {
	scale := 2
	if profile == jumpPag {
		scale = 0
	}
	return money.FormatScale(amount, currency, scale)
}

const dialectTimeLayout = "2006-01-02T15:04:05.000000Z"

func dialectTime(micros int64) string { return giro.TimeOf(micros).Format(dialectTimeLayout) }

// dialectReader renders movements and remembers the customers that it met.
type dialectReader struct {
	c         *call
	customers map[giro.UUID]string
}

// customer returns the customer_id of a movement: what its caller sent, else
// its customer's reference, else an id of giro's own.
func (r *dialectReader) customer(m *giro.Movement, w *dialectWire) (string, error) {
	switch {
	case w.Customer != "":
		return w.Customer, nil
	case m.Customer.IsZero():
		return m.ID.String(), nil
	}
	if name, ok := r.customers[m.Customer]; ok {
		return name, nil
	}
	d, err := r.c.engine().Store.Document(r.c.ctx, giro.DocCustomer, m.Customer)
	if err != nil {
		return "", err
	}
	name := m.Customer.String()
	if d != nil {
		var v giro.Customer
		if err := json.Unmarshal(d.Data, &v); err != nil {
			return "", err
		}
		if v.Reference != "" {
			name = v.Reference
		}
	}
	if r.customers == nil {
		r.customers = map[giro.UUID]string{}
	}
	r.customers[m.Customer] = name
	return name, nil
}

// noun is one of the dialect's objects over a movement.
type noun uint8

const (
	asOwn         noun = iota // payment or payout
	asTransaction             // the transaction over either
)

func referenceOf(m *giro.Movement) string {
	if m.Reference != "" {
		return m.Reference
	}
	return m.ID.String()
}

func (r *dialectReader) append(b []byte, m *giro.Movement, as noun) ([]byte, error) {
	w := wireOf(m)
	customer, err := r.customer(m, &w)
	if err != nil {
		return nil, err
	}
	view := viewOf(m, &w)
	currency := w.Currency
	if currency == "" {
		currency = string(m.Currency)
	}
	profile, status := r.c.profile, view.own
	if as == asTransaction {
		profile, status = smartFastPay, view.transaction
	}
	a := appender{b: b}
	a.text("id", m.ID.String())
	a.text("customer_id", customer)
	a.text("transaction_id", referenceOf(m))
	a.text("amount", dialectAmount(profile, m.Amount, m.Currency))
	a.text("currency", currency)
	a.text("status", status)
	if m.Kind == giro.KindCharge || as == asTransaction {
		a.text("method", methodOf(m, &w))
	}
	if as == asTransaction {
		if m.Kind == giro.KindCharge {
			a.text("type", "payment")
			a.text("payment_status", view.own)
		} else {
			a.text("type", "payout")
			a.text("payout_status", view.own)
		}
	}
	a.text("created_at", dialectTime(m.Created))
	a.text("updated_at", dialectTime(m.Updated))
	return a.close(), nil
}

// readDialect answers one object; a transaction is looked for in both kinds.
func readDialect(as noun, what string, kinds ...giro.Kind) func(c *call) error {
	return func(c *call) error {
		for _, kind := range kinds {
			id, ok := giro.ParseUUID(c.path[0])
			if !ok {
				id, ok = giro.ParseID(kind.Prefix(), c.path[0])
			}
			if !ok {
				continue
			}
			m, err := c.engine().Store.Movement(c.ctx, c.book(), kind, id)
			if err != nil {
				return err
			}
			if m != nil && !m.Deleted {
				data, err := (&dialectReader{c: c}).append(nil, m, as)
				if err != nil {
					return err
				}
				return c.sendData(data)
			}
		}
		return missing(what)
	}
}

// The parameters of the dialect's lists, for its OpenAPI document; dialectList
// reads them.
var dialectParams = []param{
	{name: "limit", kind: paramInteger, min: 1, max: dialectLimitMax, about: "How many objects to answer; 20 if it is not sent."},
	{name: "page", kind: paramInteger, min: 1, max: dialectPageMax, about: "Which page of that size; 1 if it is not sent."},
	{name: "sort", kind: paramText, max: 40, about: "item,asc or item,desc with item one of id, created_at, updated_at, amount, status; id,desc if it is not sent."},
	{name: "order", kind: paramText, max: 40, about: "Another name of sort, which wins."},
	{name: "start_time", kind: paramTime, about: "Created at or after this time."},
	{name: "end_time", kind: paramTime, about: "Created at or before this time."},
	{name: "customer_id", kind: paramText, max: 255, about: "The caller's own id of the customer, exactly."},
	{name: "transaction_id", kind: paramList, max: 100, about: "The caller's own ids, separated by commas."},
	{name: "status", kind: paramList, max: 10, about: "Statuses of the list, separated by commas."},
	{name: "type", kind: paramText, max: 10, enum: []string{"payment", "payout"}, about: "Of transactions: payment or payout."},
}

// dialectOrders are the stores' names of what a list can be sorted by; ids
// order by creation.
var dialectOrders = map[string]string{"id": "", "created_at": "", "updated_at": "updated", "amount": "amount", "status": "status"}

const (
	dialectLimitMax = 40
	dialectPageMax  = 9_999_999
)

// dialectListing is what a list was asked for.
type dialectListing struct {
	giro.MovementQuery
	page     int64
	filtered bool   // counters do not say how many there are
	customer string // not resolved yet
	match    func(*giro.Movement) bool
}

// dialectList reads the parameters. Unknown ones are ignored.
func (c *call) dialectList(as noun, kinds []giro.Kind) (*dialectListing, error) {
	l := &dialectListing{page: 1}
	l.Book, l.Kinds, l.Limit = c.book(), kinds, listLimit
	p := &c.query
	number := func(name string, most int, code giro.Code) (int, error) {
		v := p.text(name)
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > most || v[0] == '+' {
			return 0, giro.Refuse(code, name, "must be an integer from 1 to "+strconv.Itoa(most))
		}
		return n, nil
	}
	var err error
	if p.has("limit") {
		if l.Limit, err = number("limit", dialectLimitMax, giro.CodeInvalidLimit); err != nil {
			return nil, err
		}
	}
	if p.has("page") {
		n, err := number("page", dialectPageMax, giro.CodeInvalidPage)
		if err != nil {
			return nil, err
		}
		l.page = int64(n)
	}
	name := "sort"
	if p.text(name) == "" {
		name = "order"
	}
	if v := p.text(name); v != "" {
		item, direction, _ := strings.Cut(v, ",")
		column, known := dialectOrders[strings.TrimSpace(item)]
		direction = strings.ToLower(strings.TrimSpace(direction))
		if !known || direction != "asc" && direction != "desc" {
			return nil, giro.Refuse(giro.CodeInvalidSort, name, "must be id, created_at, updated_at, amount or status, a comma, and asc or desc")
		}
		l.Sort, l.Ascending = column, direction == "asc"
	}
	for _, bound := range []string{"start_time", "end_time"} {
		v := p.text(bound)
		if v == "" {
			continue
		}
		// A plus that was not encoded arrives as a blank.
		t, ok := parseTime(strings.ReplaceAll(v, " ", "+"))
		if !ok {
			return nil, giro.Refuse(giro.CodeInvalidTime, bound, "must be a time of RFC 3339 with a zone, such as 2021-09-05T11:00:00Z")
		}
		l.filtered = true
		// The times inside ids end at the millisecond.
		if at := giro.Micros(t); bound == "start_time" {
			l.Since, l.From = at, giro.FirstUUID(t)
			if at == 0 {
				l.Since = 1
			}
		} else {
			l.Until, l.To = at, lastUUID(max(at, 0))
			if at == 0 {
				l.Until = -1
			}
		}
	}
	if l.Since != 0 && l.Until != 0 && l.Since > l.Until {
		return nil, giro.Refuse(giro.CodeInvalidTime, "end_time", "the range ends before it begins")
	}
	if p.has("customer_id") {
		l.customer = p.text("customer_id")
		if n := utf8.RuneCountInString(l.customer); n < 1 || n > 255 {
			return nil, giro.Refuse(giro.CodeInvalidLength, "customer_id", "must have 1 to 255 characters")
		}
	}
	for v := range strings.SplitSeq(p.text("transaction_id"), ",") {
		if v = strings.TrimSpace(v); v != "" && !slices.Contains(l.References, v) {
			l.References = append(l.References, v)
		}
	}
	if len(l.References) > 100 {
		return nil, giro.Refuse(giro.CodeTooManyValues, "transaction_id", "must have at most 100 values")
	}
	switch v := p.text("type"); {
	case v == "":
	case v == "payment":
		l.Kinds = intersect(kinds, giro.KindCharge)
	case v == "payout":
		l.Kinds = intersect(kinds, giro.KindPayout)
	default:
		return nil, giro.Refuse(giro.CodeInvalidParameter, "type", "must be payment or payout")
	}
	return l, l.wanted(p.text("status"), as)
}

func intersect(kinds []giro.Kind, kind giro.Kind) []giro.Kind {
	if slices.Contains(kinds, kind) {
		return []giro.Kind{kind}
	}
	return nil
}

// wanted turns the dialect's statuses into those of movements. Where one of
// those is told in several ways, each movement is looked at.
func (l *dialectListing) wanted(list string, as noun) error {
	var want []string
	for v := range strings.SplitSeq(list, ",") {
		if v = strings.TrimSpace(v); v != "" {
			want = append(want, v)
		}
	}
	if len(want) == 0 {
		return nil
	}
	told := func(v *dialectView) string {
		if as == asTransaction {
			return v.transaction
		}
		return v.own
	}
	known := map[string]bool{}
	for i := range dialectViews {
		if v := &dialectViews[i]; slices.Contains(l.Kinds, v.kind) {
			known[told(v)] = true
			if slices.Contains(want, told(v)) && !slices.Contains(l.Statuses, v.status) {
				l.Statuses = append(l.Statuses, v.status)
			}
		}
	}
	for _, v := range want {
		if !known[v] {
			return giro.Refuse(giro.CodeInvalidStatus, "status", "is not a status of this list")
		}
	}
	l.filtered = true
	for i := range dialectViews {
		if v := &dialectViews[i]; slices.Contains(l.Kinds, v.kind) && slices.Contains(l.Statuses, v.status) && !slices.Contains(want, told(v)) {
			l.match = func(m *giro.Movement) bool {
				w := wireOf(m)
				return slices.Contains(want, told(viewOf(m, &w)))
			}
		}
	}
	return nil
}

// listDialect answers a list: a bare array in the envelope.
func listDialect(as noun, kinds ...giro.Kind) func(c *call) error {
	return func(c *call) error {
		l, err := c.dialectList(as, kinds)
		if err != nil {
			return err
		}
		list, err := c.readListing(l)
		if err != nil {
			return err
		}
		b := []byte{'['}
		r := &dialectReader{c: c}
		for i, m := range list {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = r.append(b, m, as); err != nil {
				return err
			}
		}
		return c.sendData(append(b, ']'))
	}
}

func (c *call) readListing(l *dialectListing) ([]*giro.Movement, error) {
	if len(l.Kinds) == 0 {
		return nil, nil
	}
	if len(l.References) > 0 {
		return c.readReferences(l)
	}
	if l.customer != "" {
		lone, err := c.resolveCustomer(l)
		if err != nil || lone != nil {
			return lone, err
		}
		if l.Customer.IsZero() {
			return nil, nil
		}
	}
	head, err := c.engine().Store.Head(c.ctx, l.Book)
	if err != nil || head == nil {
		return nil, err
	}
	total := int64(0)
	for _, k := range l.Kinds {
		total += *head.Count(k)
	}
	size := int64(l.Limit)
	l.Skip, l.Match = (l.page-1)*size, l.match
	if l.Skip >= total {
		return nil, nil // no list has more than all
	}
	backwards := false
	if !l.filtered {
		c.w.Header()["Total-Count"] = []string{itoa(total)}
		// The counters know how many there are, so the page is reached from the
		// nearer end.
		if behind := total - l.Skip - size; l.Skip > behind && behind > -size {
			backwards, l.Ascending = true, !l.Ascending
			if l.Skip = behind; behind < 0 {
				l.Skip, l.Limit = 0, int(size+behind)
			}
		}
	}
	if err := c.jump(&l.MovementQuery); err != nil {
		return nil, err
	}
	list, _, err := c.engine().Store.Movements(c.ctx, l.MovementQuery)
	if backwards {
		slices.Reverse(list)
	}
	return list, err
}

// resolveCustomer turns a customer_id into the customer; or, where it is the id
// that a movement without a customer is shown with, into that movement alone.
func (c *call) resolveCustomer(l *dialectListing) (lone []*giro.Movement, err error) {
	store := c.engine().Store
	l.filtered = true
	d, err := store.DocumentByLookup(c.ctx, giro.DocCustomer, giro.CustomerLookup(l.Book, l.customer))
	if err != nil {
		return nil, err
	}
	if d != nil {
		l.Customer = d.ID
		return nil, nil
	}
	id, ok := giro.ParseUUID(l.customer)
	if !ok {
		return nil, nil
	}
	if d, err = store.Document(c.ctx, giro.DocCustomer, id); err != nil {
		return nil, err
	}
	if d != nil && d.Book == l.Book {
		var v giro.Customer
		if err := json.Unmarshal(d.Data, &v); err != nil || v.Reference != "" {
			return nil, err
		}
		l.Customer = id
		return nil, nil
	}
	for _, kind := range l.Kinds {
		m, err := store.Movement(c.ctx, l.Book, kind, id)
		if err != nil {
			return nil, err
		}
		if m != nil && m.Customer.IsZero() && l.page == 1 && l.selects(m) {
			return []*giro.Movement{m}, nil
		}
	}
	return nil, nil
}

// selects applies to one movement what the store would have to a list.
func (l *dialectListing) selects(m *giro.Movement) bool {
	return !m.Deleted && slices.Contains(l.Kinds, m.Kind) &&
		(len(l.Statuses) == 0 || slices.Contains(l.Statuses, m.Status)) &&
		(l.Since == 0 || m.Created >= l.Since) && (l.Until == 0 || m.Created <= l.Until) &&
		(l.match == nil || l.match(m))
}

// readReferences reads the at most few hundred movements that a list of
// transaction ids names, and pages among them. A movement without a reference
// is named by its own id.
func (c *call) readReferences(l *dialectListing) ([]*giro.Movement, error) {
	store := c.engine().Store
	q := giro.MovementQuery{Book: l.Book, Kinds: l.Kinds, References: l.References}
	list, _, err := store.Movements(c.ctx, q)
	if err != nil {
		return nil, err
	}
	for _, reference := range l.References {
		id, ok := giro.ParseUUID(reference)
		if !ok {
			continue
		}
		for _, kind := range l.Kinds {
			m, err := store.Movement(c.ctx, l.Book, kind, id)
			if err != nil {
				return nil, err
			}
			if m != nil && m.Reference == "" {
				list = append(list, m)
			}
		}
	}
	r := &dialectReader{c: c}
	var failed error
	list = slices.DeleteFunc(list, func(m *giro.Movement) bool {
		if l.customer != "" {
			w := wireOf(m)
			name, err := r.customer(m, &w)
			if err != nil {
				failed = err
			}
			if name != l.customer {
				return true
			}
		}
		return !l.selects(m)
	})
	if failed != nil {
		return nil, failed
	}
	slices.SortFunc(list, func(a, b *giro.Movement) int {
		order := 0
		switch l.Sort {
		case "updated":
			order = cmp.Compare(a.Updated, b.Updated)
		case "amount":
			order = cmp.Compare(a.Amount, b.Amount)
		case "status":
			order = strings.Compare(string(a.Status), string(b.Status))
		}
		if order == 0 {
			order = bytes.Compare(a.ID[:], b.ID[:])
		}
		if l.Ascending {
			return order
		}
		return -order
	})
	from := min((l.page-1)*int64(l.Limit), int64(len(list)))
	return list[from:min(from+int64(l.Limit), int64(len(list)))], nil
}
