package api

import (
	"cmp"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"giro"
)

// movementRoutes are the routes that the four kinds share, and the verbs of
// each. The seeds' unversioned paths are aliases.
func movementRoutes() []*route {
	var list []*route
	for _, k := range giro.Kinds {
		read, write := accessSecret, accessSecret
		if k == giro.KindCharge {
			read, write = accessPublishable, accessPublishable
		}
		name := upper(string(k))
		path, seed := "/v1/"+k.Plural(), "/"+k.Plural()
		one := []string{seed + "/{id}"}
		list = append(list,
			&route{method: "POST", path: path, aliases: []string{seed}, id: "create" + name, tag: k.Plural(), summary: "Create a " + string(k), access: write,
				body: movementCreates[k], status: 201, answer: movementAnswers[k], errors: []giro.Code{giro.CodeMissingField, giro.CodeInsufficientFunds, giro.CodeDuplicateReference}, handler: createMovement(k)},
			&route{method: "GET", path: path, aliases: []string{seed}, id: "list" + name + "s", tag: k.Plural(), summary: "List " + k.Plural() + ", newest first", access: read,
				about:  "A bare array; with page or items_per_page an object with totals.",
				params: movementParamsOf(k), status: 200, answer: &schema{kind: kindEither, options: []*schema{{kind: kindList, item: movementAnswers[k]}, movementPage(k)}}, handler: listMovements(k)},
			&route{method: "GET", path: path + "/{id}", aliases: one, id: "retrieve" + name, tag: k.Plural(), summary: "Retrieve a " + string(k), access: read,
				status: 200, answer: movementAnswers[k], errors: []giro.Code{giro.CodeNotFound}, handler: retrieveMovement(k)},
			&route{method: "PUT", path: path + "/{id}", aliases: one, id: "update" + name, tag: k.Plural(), summary: "Update a " + string(k), access: accessSecret,
				body: movementUpdateSchema, status: 200, answer: movementAnswers[k], errors: []giro.Code{giro.CodeNotFound, giro.CodeInvalidState, giro.CodeInFlight, giro.CodePreconditionFailed}, handler: updateMovement(k)},
			&route{method: "DELETE", path: path + "/{id}", aliases: one, id: "delete" + name, tag: k.Plural(), summary: "Delete a " + string(k), access: accessSecret,
				about:  "Hides it and withdraws what was not captured or sent. Money that moved, the ledger and the events stay.",
				status: 200, answer: messageAnswer, errors: []giro.Code{giro.CodeNotFound, giro.CodeInFlight}, handler: deleteMovement(k)},
			&route{method: "GET", path: path + "/{id}/ledger", id: "ledgerOf" + name, tag: k.Plural(), summary: "The postings that a " + string(k) + " made", access: accessSecret,
				status: 200, answer: &schema{kind: kindList, item: ledgerTransactionAnswer}, errors: []giro.Code{giro.CodeNotFound}, handler: movementLedger(k)},
			&route{method: "GET", path: path + "/{id}/timeline", id: "timelineOf" + name, tag: k.Plural(), summary: "What happened to a " + string(k) + ", in order", access: accessSecret,
				status: 200, answer: timelineAnswer, errors: []giro.Code{giro.CodeNotFound}, handler: timeline(k)},
		)
		if k != giro.KindTransfer { // which no rail carries
			list = append(list, &route{method: "GET", path: path + "/{id}/attempts", id: "attemptsOf" + name, tag: k.Plural(), summary: "What a rail was sent about a " + string(k) + ", and what it answered", access: accessSecret,
				about:  "The last 20 attempts, oldest first, with documents, keys and numbers of accounts masked.",
				status: 200, answer: attemptsAnswer, errors: []giro.Code{giro.CodeNotFound}, handler: attempts(k)})
		}
		verb := func(verb, summary string, body *schema, run func(c *call, g *giro.Call, id giro.UUID) (*giro.Result, error)) {
			list = append(list, &route{method: "POST", path: path + "/{id}/" + verb, aliases: []string{seed + "/{id}/" + verb}, id: verb + name, tag: k.Plural(), summary: summary,
				access: accessSecret, body: body, bare: true, status: 200, answer: movementAnswers[k],
				errors: []giro.Code{giro.CodeNotFound, giro.CodeInvalidState, giro.CodeInFlight}, handler: actOnMovement(k, run)})
		}
		switch k {
		case giro.KindCharge:
			verb("capture", "Capture what a charge has authorised", amountBody, func(c *call, g *giro.Call, id giro.UUID) (*giro.Result, error) {
				return c.engine().Capture(c.ctx, g, id, c.body.amount("amount"))
			})
		case giro.KindPayout:
			verb("retry", "Make a new payout with the data of one that did not arrive", retryBody, func(c *call, g *giro.Call, id giro.UUID) (*giro.Result, error) {
				return c.engine().RetryPayout(c.ctx, g, id, c.body.text("reference"))
			})
			verb("credit_back", "Credit a returned payout to the balance", emptySchema, func(c *call, g *giro.Call, id giro.UUID) (*giro.Result, error) {
				return c.engine().CreditBack(c.ctx, g, id)
			})
		case giro.KindTransfer:
			verb("reverse", "Give back a transfer or a part of it", amountBody, func(c *call, g *giro.Call, id giro.UUID) (*giro.Result, error) {
				if g.Merchant == nil { // the administrator has an id and no books
					mer, book, err := c.engine().TransferOf(c.ctx, id)
					if err != nil {
						return nil, err
					}
					g.Merchant, g.Live = mer, book.Live()
				}
				return c.engine().ReverseTransfer(c.ctx, g, id, c.body.amount("amount"))
			})
			reverse := list[len(list)-1]
			reverse.access, reverse.about = accessEither, "Between merchants the receiver's or the installation's to do: the receiver's key, or the admin token."
			verb("post", "Move what a pending transfer has reserved", emptySchema, func(c *call, g *giro.Call, id giro.UUID) (*giro.Result, error) {
				return c.engine().PostTransfer(c.ctx, g, id)
			})
			verb("void", "Give up what a pending transfer has reserved", emptySchema, func(c *call, g *giro.Call, id giro.UUID) (*giro.Result, error) {
				return c.engine().VoidTransfer(c.ctx, g, id)
			})
			continue
		}
		verb("cancel", "Withdraw what was not captured or sent", emptySchema, func(c *call, g *giro.Call, id giro.UUID) (*giro.Result, error) {
			return c.engine().Cancel(c.ctx, g, k, id)
		})
		verb("release", "Let what is on hold go on", emptySchema, func(c *call, g *giro.Call, id giro.UUID) (*giro.Result, error) {
			return c.engine().Release(c.ctx, g, k, id)
		})
		verb("confirm", "Say that it happened, on the manual rail", emptySchema, func(c *call, g *giro.Call, id giro.UUID) (*giro.Result, error) {
			return c.engine().Confirm(c.ctx, g, k, id)
		})
		verb("fail", "Say that it did not happen, on the manual rail", failBody, func(c *call, g *giro.Call, id giro.UUID) (*giro.Result, error) {
			return c.engine().Reject(c.ctx, g, k, id, c.body.text("code"))
		})
		verb("return", "Say that it came back, on the manual rail", emptySchema, func(c *call, g *giro.Call, id giro.UUID) (*giro.Result, error) {
			return c.engine().Return(c.ctx, g, k, id)
		})
	}
	return list
}

var (
	amountBody = &schema{kind: kindObject, name: "AmountOnly", fields: []field{{name: "amount", schema: amountSchema, about: "All that is left if it is not sent."}}}
	retryBody  = &schema{kind: kindObject, name: "Retry", fields: []field{referenceField}}
	failBody   = &schema{kind: kindObject, name: "Failure", fields: []field{{name: "code", schema: text(1, 64), example: "account_closed"}}}
)

var movementParams = []param{limitParam, cursorParam, pageParam, perPageParam,
	{name: "status", kind: paramList, max: 7, enum: statusNames(), about: "One or several statuses."},
	{name: "currency", kind: paramCurrency, about: "ISO 4217."},
	{name: "customer", kind: paramID, prefix: "cus", about: "A saved customer."},
	{name: "reference", kind: paramText, max: 255, about: "The caller's own id, exactly."},
	{name: "references", kind: paramList, max: 100, about: "Any of the caller's own ids, exactly; none of them holds a comma."},
	createdParam, amountParam, metaParam}

// movementParamsOf are the filters of a kind's list: what its movements do not
// have, they are not narrowed by.
func movementParamsOf(k giro.Kind) []param {
	list := slices.Clone(movementParams)
	if k == giro.KindRefund {
		list = append(list, param{name: "charge", kind: paramID, prefix: "ch", about: "Refunds of this charge."})
	}
	if k == giro.KindCharge || k == giro.KindPayout {
		list = append(list, param{name: "provider", kind: paramList, max: 5, about: "One or several providers: card, mobile, bank."},
			param{name: "method", kind: paramList, max: 20, about: "One or several methods of provider bank: pix, boleto, spei, …"})
	}
	if k != giro.KindTransfer {
		list = append(list, param{name: "rail", kind: paramText, max: 64, about: "The rail that carries it."},
			param{name: "failure_code", kind: paramText, max: 64, about: "Why it failed."})
	}
	if k == giro.KindPayout {
		list = append(list, param{name: "document", kind: paramText, max: 64, about: "The number of the recipient's identity document, with its punctuation or without."})
	}
	return list
}

func movementPage(k giro.Kind) *schema {
	return &schema{kind: kindObject, fields: []field{
		{name: k.Plural(), schema: &schema{kind: kindList, item: movementAnswers[k]}},
		{name: "total_items", schema: plainInteger}, {name: "total_pages", schema: plainInteger},
		{name: "page", schema: plainInteger}, {name: "items_per_page", schema: plainInteger},
		{name: "total_is_capped", schema: flagSchema, optional: true},
	}}
}

// renderMovement renders what the engine returns for a movement.
func renderMovement(status int) func(any) giro.Answer {
	return func(v any) giro.Answer {
		r := v.(*giro.Result)
		a := giro.Answer{Status: status, Body: r.JSON()}
		if status == http.StatusCreated {
			if r.Existing {
				a.Status = http.StatusOK
			}
			a.Location = "/v1/" + r.Movement.Kind.Plural() + "/" + r.Movement.ID.ID(r.Movement.Kind.Prefix())
		}
		return a
	}
}

func createMovement(k giro.Kind) func(c *call) error {
	return func(c *call) error {
		req, err := movementRequest(k, c.body)
		if err != nil {
			return err
		}
		return c.command(renderMovement(http.StatusCreated), func(g *giro.Call) (any, error) {
			e := c.engine()
			switch k {
			case giro.KindCharge:
				return e.CreateCharge(c.ctx, g, req)
			case giro.KindRefund:
				return e.CreateRefund(c.ctx, g, req)
			case giro.KindPayout:
				return e.CreatePayout(c.ctx, g, req)
			}
			return e.CreateTransfer(c.ctx, g, req)
		})
	}
}

// movementRequest turns a body into what the engine takes.
func movementRequest(k giro.Kind, body object) (giro.Request, error) {
	req := giro.Request{
		Amount: body.amount("amount"), Currency: body.currency("currency"), Account: body.id("acct", "account"),
		Description: body.text("description"), Reference: body.text("reference"), Metadata: body.metadata("metadata"),
	}
	switch k {
	case giro.KindCharge:
		if err := means(body, &req, false); err != nil {
			return req, err
		}
		req.Capture = body.flag("capture", true)
		req.Descriptor, req.Email = body.text("statement_descriptor"), body.text("receipt_email")
		if customer := body.object("customer"); customer.ok {
			p, err := party(customer, "/customer", "")
			if err != nil {
				return req, err
			}
			req.NewCustomer = p
		} else {
			req.Customer = body.id("cus", "customer")
		}
	case giro.KindRefund:
		id, ok := giro.ParseID("ch", body.text("charge"))
		if !ok {
			return req, giro.Refuse(giro.CodeChargeUnknown, "/charge", "there is no such charge")
		}
		req.Charge, req.Reason = id, body.text("reason")
	case giro.KindPayout:
		if err := means(body, &req, true); err != nil {
			return req, err
		}
		req.Customer = body.id("cus", "customer")
		country := ""
		if req.Bank != nil {
			country = req.Bank.Country
			if req.Bank.Method == "pix" {
				country = "BR"
			}
		}
		p, err := party(body.object("recipient"), "/recipient", country)
		if err != nil {
			return req, err
		}
		req.Recipient = p
	case giro.KindTransfer:
		var ok bool
		if req.Destination, ok = giro.ParseID("acct", body.text("destination")); !ok {
			return req, giro.Refuse(giro.CodeAccountUnknown, "/destination", "there is no such account")
		}
		if body.has("from_account") {
			if req.Account, ok = giro.ParseID("acct", body.text("from_account")); !ok {
				return req, giro.Refuse(giro.CodeAccountUnknown, "/from_account", "there is no such account")
			}
		}
		req.Pending = body.flag("pending", false)
		if body.has("expires_at") {
			if !req.Pending {
				return req, giro.Refuse(giro.CodeInvalidValue, "/expires_at", "only a pending transfer expires")
			}
			req.ExpiresAt = giro.Micros(body.time("expires_at"))
		}
	}
	return req, nil
}

func retrieveMovement(k giro.Kind) func(c *call) error {
	return func(c *call) error {
		m, err := c.movement(k)
		if err != nil {
			return err
		}
		etag := `"` + strconv.FormatInt(m.Version, 10) + `"`
		c.w.Header()["Etag"] = []string{etag}
		c.buffer = m.AppendJSON(c.buffer[:0])
		c.sendJSON(http.StatusOK, c.buffer)
		return nil
	}
}

// movement reads the movement in the path, if the caller may see it.
func (c *call) movement(k giro.Kind) (*giro.Movement, error) {
	id, err := c.pathID(k.Prefix(), string(k))
	if err != nil {
		return nil, err
	}
	m, err := c.engine().Store.Movement(c.ctx, c.book(), k, id)
	if err != nil {
		return nil, err
	}
	if m == nil || m.Deleted || c.caller.Publishable && !m.Detail.Publishable {
		return nil, missing(string(k))
	}
	return m, nil
}

func listMovements(k giro.Kind) func(c *call) error {
	return func(c *call) error {
		q, filtered, err := c.movementQuery(k)
		if err != nil {
			return err
		}
		if c.query.has("page") || c.query.has("items_per_page") {
			return c.movementPage(q, filtered)
		}
		q.Limit = c.query.integer("limit", listLimit)
		if q.Before, err = c.cursor(); err != nil {
			return err
		}
		none, err := c.none(&q)
		if err != nil {
			return err
		}
		var list []*giro.Movement
		var more bool
		var scanned giro.UUID
		q.Scanned = &scanned
		if !none {
			list, more, err = c.engine().Store.Movements(c.ctx, q)
		}
		for range leapsMax {
			if err != nil || len(list) > 0 || scanned.IsZero() || !countable(&q) {
				break
			}
			if q.Before, err = c.leap(&q, scanned); err == nil {
				scanned = giro.UUID{}
				list, more, err = c.engine().Store.Movements(c.ctx, q)
			}
		}
		if err != nil {
			return err
		}
		switch {
		case more && len(list) == q.Limit:
			c.linkNext(list[len(list)-1].ID)
		case !scanned.IsZero():
			c.linkNext(scanned)
		case more && len(list) > 0:
			c.linkNext(list[len(list)-1].ID)
		}
		return sendList(c, list, func(b []byte, m *giro.Movement) []byte { return m.AppendJSON(b) })
	}
}

// scanMax is how many rows the filters without an index look at per page,
// searchMax how many where texts are looked for in each, and searchMaxBeside where
// another filter's index leads to each: as many as take a few milliseconds, so
// that a page is never long in coming.
const (
	scanMax         = 4_000
	searchMax       = 2_000
	searchMaxBeside = 1_000
)

// movementQuery turns the filters of a list into a query; filtered is false
// where the list is all there is.
func (c *call) movementQuery(k giro.Kind) (q giro.MovementQuery, filtered bool, err error) {
	p := &c.query
	q = giro.MovementQuery{Book: c.book(), Kind: k, Currency: p.currency("currency")}
	for _, s := range p.list("status") {
		q.Statuses = append(q.Statuses, giro.Status(s))
	}
	if v := p.text("customer"); v != "" {
		q.Customer = filterID("cus", v)
	}
	if v := p.text("charge"); v != "" {
		q.Parent = filterID("ch", v)
	}
	if v := p.text("reference"); v != "" {
		q.References = []string{v}
	}
	if list := p.list("references"); len(list) > 0 {
		slices.Sort(list)
		list = slices.Compact(list)
		if len(q.References) > 0 {
			list = slices.DeleteFunc(list, func(v string) bool { return v != q.References[0] })
		}
		if q.References = list; len(list) == 0 {
			q.References = []string{""} // which nothing has
		}
	}
	if from, to, given := p.times("created"); given {
		// The id of a movement carries the millisecond of its creation.
		if from > 0 {
			q.From = giro.FirstUUID(giro.TimeOf(from))
		}
		if to < 1<<62 {
			q.To = lastUUID(max(to, 0))
		}
		if from > 0 && from%1000 != 0 {
			q.Since = from
		}
		if to > 0 && to < 1<<62 && to%1000 != 999 {
			q.Until = to
		}
	}
	if from, to, given := p.amounts("amount"); given {
		q.Amounts = &giro.AmountRange{From: from, To: to}
	}
	if q.Metadata = p.metadata("metadata"); len(q.Metadata) > 0 {
		if q.IDs, err = c.engine().Holders(c.ctx, q.Book, slices.Collect(maps.Values(q.Metadata))); err != nil {
			return q, false, err
		}
	}
	if document := documentNumber(p.text("document")); document != "" && len(q.Metadata) == 0 {
		if q.IDs, err = c.engine().Holders(c.ctx, q.Book, []string{document}); err != nil {
			return q, false, err
		}
	}
	c.match(&q)
	q.ScanMax = scanMax
	switch texts := q.Match != nil || len(q.Metadata) > 0; {
	case texts && q.Lead() != "":
		q.ScanMax = searchMaxBeside
	case texts:
		q.ScanMax = searchMax
	}
	if !q.Sifts() {
		q.ScanMax = 0
	}
	for _, name := range p.names {
		switch name {
		case "limit", "cursor", "page", "items_per_page":
		default:
			filtered = true
		}
	}
	return q, filtered || c.caller.Publishable, nil
}

// documentNumber is the number of an identity document as movements keep it.
func documentNumber(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, s)
}

// match adds what of the query is looked for in each movement.
func (c *call) match(q *giro.MovementQuery) {
	p := &c.query
	var tests []func(*giro.Movement) bool
	among := func(name string, list []string, of func(*giro.Movement) string) {
		if len(list) > 0 {
			tests = append(tests, func(m *giro.Movement) bool { return slices.Contains(list, of(m)) })
			if q.Members == nil {
				q.Members = map[string][]string{}
			}
			q.Members[name] = list
		}
	}
	exactly := func(name string, of func(*giro.Movement) string) {
		if v := p.text(name); v != "" {
			among(name, []string{v}, of)
		}
	}
	among("provider", p.list("provider"), func(m *giro.Movement) string { return m.Detail.Provider })
	among("method", p.list("method"), func(m *giro.Movement) string { return m.Detail.Method })
	exactly("rail", func(m *giro.Movement) string { return m.Detail.Rail })
	exactly("failure_code", func(m *giro.Movement) string { return m.Detail.FailureCode })
	if p.has("document") {
		number := documentNumber(p.text("document"))
		tests = append(tests, func(m *giro.Movement) bool {
			r := m.Detail.Recipient
			return r != nil && r.Document != nil && documentNumber(r.Document.Number) == number
		})
	}
	if c.caller.Publishable {
		tests = append(tests, func(m *giro.Movement) bool { return m.Detail.Publishable })
	}
	q.Match = allOf(tests)
}

// allOf is what passes all of the tests; nil: there are none.
func allOf[T any](tests []func(T) bool) func(T) bool {
	if len(tests) == 0 {
		return nil
	}
	return func(v T) bool {
		return !slices.ContainsFunc(tests, func(fits func(T) bool) bool { return !fits(v) })
	}
}

// countable reports whether the roll-ups count what q selects, but for its bounds.
func countable(q *giro.MovementQuery) bool {
	return q.Amounts == nil && len(q.Metadata) == 0 && q.Match == nil && q.Customer.IsZero() && q.Parent.IsZero() && len(q.References) == 0 && q.Sort == ""
}

// rolledUp reports whether the roll-ups count what q selects.
func rolledUp(q *giro.MovementQuery) bool {
	return countable(q) && q.From.IsZero() && q.To.IsZero() && q.Since == 0 && q.Until == 0 && q.Before.IsZero()
}

// none reports whether the roll-ups say that nothing was ever there of what q
// would look for row by row.
func (c *call) none(q *giro.MovementQuery) (bool, error) {
	if !q.Sifts() || !countable(q) {
		return false, nil
	}
	n, err := c.countEver(q)
	return n == 0, err
}

// countEver returns how many movements q selects, but for its bounds; q is
// countable.
func (c *call) countEver(q *giro.MovementQuery) (int64, error) {
	cells, err := c.engine().Store.Rollups(c.ctx, giro.RollupQuery{Book: q.Book, Kinds: q.AllKinds(), Currency: q.Currency})
	return countIn(q, cells), err
}

// leapsMax is how often one page looks elsewhere for what it did not find.
const leapsMax = 5

// leap returns the cursor from which to go on where nothing was found down to
// scanned: the end of the last hour in which, by the roll-ups, there is something.
func (c *call) leap(q *giro.MovementQuery, scanned giro.UUID) (giro.UUID, error) {
	here := giro.HourOf(giro.Micros(scanned.Time()))
	cells, err := c.engine().Store.Rollups(c.ctx, giro.RollupQuery{Book: q.Book, Kinds: q.AllKinds(), Currency: q.Currency, From: 1, To: here + 1})
	if err != nil {
		return scanned, err
	}
	last := int64(0)
	for i := range cells {
		if cells[i].Hour > last && countIn(q, cells[i:i+1]) > 0 {
			last = cells[i].Hour
		}
	}
	if last == here {
		return scanned, nil
	}
	return giro.FirstUUID(time.UnixMicro((last + 1) * time.Hour.Microseconds())), nil
}

// countIn adds up those cells of q's kinds and currency that have its statuses.
func countIn(q *giro.MovementQuery, cells []giro.Rollup) (n int64) {
	for i := range cells {
		if len(q.Statuses) == 0 || slices.Contains(q.Statuses, cells[i].Status) {
			n += cells[i].Count
		}
	}
	return n
}

// jumpBeyond is how many movements are stepped over one by one.
const jumpBeyond = 2000

// jump lets a page that begins far down begin at the hour in which it does: the
// roll-ups tell how many movements were made in each, so at most one hour's have
// to be stepped over.
func (c *call) jump(q *giro.MovementQuery) error {
	if q.Skip <= jumpBeyond || !rolledUp(q) {
		return nil
	}
	cells, err := c.engine().Store.Rollups(c.ctx, giro.RollupQuery{Book: q.Book, Kinds: q.AllKinds(), Currency: q.Currency, From: 1, To: math.MaxInt64})
	if err != nil {
		return err
	}
	slices.SortFunc(cells, func(a, b giro.Rollup) int {
		if q.Ascending {
			return cmp.Compare(a.Hour, b.Hour)
		}
		return cmp.Compare(b.Hour, a.Hour)
	})
	for len(cells) > 0 {
		hour, n := cells[0].Hour, 1
		for n < len(cells) && cells[n].Hour == hour {
			n++
		}
		made := countIn(q, cells[:n])
		if made > q.Skip {
			if q.Ascending {
				q.From = giro.FirstUUID(time.UnixMicro(hour * time.Hour.Microseconds()))
			} else {
				q.To = lastUUID((hour+1)*time.Hour.Microseconds() - 1)
			}
			sameCurrency(q, cells)
			return nil
		}
		q.Skip, cells = q.Skip-made, cells[n:]
	}
	return nil // there is nothing so far down
}

// sameCurrency names the currency of what q selects in cells where all of it has one:
// its index is narrow to step over, and the movements themselves are not. By status
// there is such an index already, and transfers from other merchants are in neither.
func sameCurrency(q *giro.MovementQuery, cells []giro.Rollup) {
	if len(q.Statuses) > 0 || slices.Contains(q.AllKinds(), giro.KindTransfer) {
		return
	}
	some := slices.DeleteFunc(slices.Clone(cells), func(r giro.Rollup) bool { return r.Count == 0 })
	if !slices.ContainsFunc(some, func(r giro.Rollup) bool { return r.Currency != some[0].Currency }) {
		q.Currency = some[0].Currency
	}
}

// filterID returns the id of a filter. The zero one, which is no filter in a
// query, becomes one that nothing has.
func filterID(prefix, v string) giro.UUID {
	id, ok := giro.ParseID(prefix, v)
	if !ok || id.IsZero() {
		return giro.UUID{15: 1}
	}
	return id
}

// lastUUID returns the largest id of the millisecond of an instant (µs).
func lastUUID(at int64) giro.UUID {
	u := giro.FirstUUID(giro.TimeOf(at))
	u[6], u[7], u[8] = 0x7f, 0xff, 0xbf
	for i := 9; i < 16; i++ {
		u[i] = 0xff
	}
	return u
}

// totalMax is how far a filtered total is counted.
const totalMax = 100_000

// movementPage answers a page with totals. It skips from the nearer end, where
// it is known how many there are.
func (c *call) movementPage(q giro.MovementQuery, filtered bool) error {
	if c.query.has("cursor") || c.query.has("limit") {
		return giro.Refuse(giro.CodeInvalidParameter, "page", "a list is read by cursor and limit or by page and items_per_page, not by both")
	}
	page, size := int64(c.query.integer("page", 1)), int64(c.query.integer("items_per_page", listLimit))
	store := c.engine().Store
	rolled := rolledUp(&q)
	all := int64(0) // as far as it is known
	capped := false
	switch {
	case !filtered:
		head, err := store.Head(c.ctx, q.Book)
		if err != nil {
			return err
		}
		if head != nil {
			all = *head.Count(q.Kind)
		}
	case rolled:
		n, err := c.countEver(&q)
		if err != nil {
			return err
		}
		all = n
	default:
		// There is no cursor to go on from, so more rows are looked at.
		var scanned giro.UUID
		if q.Scanned = &scanned; q.Sifts() {
			q.ScanMax = totalMax
		}
		n, err := store.CountMovements(c.ctx, q, totalMax+1)
		if err != nil {
			return err
		}
		all, capped = n, !scanned.IsZero()
	}
	total := all
	if filtered && all > totalMax {
		total, capped = totalMax, true
	}
	var list []*giro.Movement
	q.Skip, q.Limit = (page-1)*size, int(size)
	fromEnd := all - q.Skip - size // what lies behind the page
	backwards := rolled && q.Skip > all/2
	if backwards {
		q.Ascending, q.Skip = true, fromEnd
		if fromEnd < 0 {
			q.Skip, q.Limit = 0, int(size+fromEnd)
		}
	}
	if rolled {
		if q.Sifts() {
			q.ScanMax = totalMax
		}
		if err := c.jump(&q); err != nil {
			return err
		}
	}
	if q.Limit > 0 && (capped || (page-1)*size < all) {
		var err error
		if list, _, err = store.Movements(c.ctx, q); err != nil {
			return err
		}
	}
	if backwards {
		for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
			list[i], list[j] = list[j], list[i]
		}
	}
	b := append(appendString(append(c.buffer[:0], '{'), q.Kind.Plural()), ":["...)
	for i, m := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = m.AppendJSON(b)
	}
	b = append(b, ']')
	a := appender{b: b, begun: true}
	a.number("total_items", total)
	a.number("total_pages", (total+size-1)/size)
	a.number("page", page)
	a.number("items_per_page", size)
	if capped {
		a.flag("total_is_capped", true)
	}
	c.buffer = a.close()
	c.sendJSON(http.StatusOK, c.buffer)
	return nil
}

func updateMovement(k giro.Kind) func(c *call) error {
	return func(c *call) error {
		id, err := c.pathID(k.Prefix(), string(k))
		if err != nil {
			return err
		}
		var ch giro.Change
		if ch.Version, err = ifMatch(c.r.Header); err != nil {
			return err
		}
		given := false
		if c.body.has("amount") {
			v := c.body.amount("amount")
			ch.Amount, given = &v, true
		}
		if c.body.has("status") {
			v := giro.Status(c.body.text("status"))
			if v != giro.StatusSucceeded && v != giro.StatusCanceled && v != giro.StatusPending {
				return giro.Refuse(giro.CodeStatusNotSettable, "/status", "only succeeded, canceled and pending can be set; the other statuses follow from what happens")
			}
			ch.Status, given = &v, true
			if err := c.mayConfirm(k, id, v); err != nil {
				return err
			}
		}
		if c.body.has("description") {
			v := c.body.text("description")
			ch.Description, given = &v, true
		}
		if c.body.has("metadata") {
			ch.Metadata, given = c.body.metadata("metadata"), true
		}
		if !given {
			return giro.Refuse(giro.CodeNothingToUpdate, "", "send at least one of amount, status, description and metadata")
		}
		return c.command(renderMovement(http.StatusOK), func(g *giro.Call) (any, error) { return c.engine().Update(c.ctx, g, k, id, ch) })
	}
}

// mayConfirm keeps a person who decides nothing from confirming, by an update,
// what a person has to confirm.
func (c *call) mayConfirm(k giro.Kind, id giro.UUID, to giro.Status) error {
	if c.caller.In == nil || to != giro.StatusSucceeded || c.caller.Duty.May(giro.MayDecide, c.caller.Live) {
		return nil
	}
	m, err := c.engine().Store.Movement(c.ctx, c.book(), k, id)
	if err != nil || m == nil || k == giro.KindCharge && m.Detail.Rail != "manual" {
		return err
	}
	return giro.Refuse(giro.CodeForbidden, "role", "the role "+string(c.caller.Duty)+" does not have "+string(giro.MayDecide))
}

// ifMatch reads the version that a change insists on; 0: none.
func ifMatch(h http.Header) (int64, error) {
	v := h.Get("If-Match")
	if v == "" || v == "*" {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.Trim(v, `"`), 10, 64)
	if err != nil || n < 1 || len(h["If-Match"]) > 1 {
		return 0, giro.Refuse(giro.CodeInvalidHeader, "If-Match", "must be the ETag of the object as it was read")
	}
	return n, nil
}

func deleteMovement(k giro.Kind) func(c *call) error {
	return func(c *call) error {
		id, err := c.pathID(k.Prefix(), string(k))
		if err != nil {
			return err
		}
		if err := c.engine().Delete(c.ctx, c.giroCall(nil), k, id); err != nil {
			return err
		}
		return c.deleted(string(k))
	}
}

// deleted answers as the seeds do: "Charge deleted successfully".
func (c *call) deleted(noun string) error {
	a := appender{b: c.buffer[:0]}
	a.text("message", upper(noun)+" deleted successfully")
	c.buffer = a.close()
	c.sendJSON(http.StatusOK, c.buffer)
	return nil
}

func actOnMovement(k giro.Kind, run func(c *call, g *giro.Call, id giro.UUID) (*giro.Result, error)) func(c *call) error {
	return func(c *call) error {
		id, err := c.pathID(k.Prefix(), string(k))
		if err != nil {
			return err
		}
		return c.command(renderMovement(http.StatusOK), func(g *giro.Call) (any, error) { return run(c, g, id) })
	}
}

func movementLedger(k giro.Kind) func(c *call) error {
	return func(c *call) error {
		m, err := c.movement(k)
		if err != nil {
			return err
		}
		list, err := c.engine().Store.LedgerTransactions(c.ctx, giro.LedgerQuery{Book: c.book(), Object: m.ID, Limit: 1000})
		if err != nil {
			return err
		}
		return sendList(c, list, appendLedgerTransaction)
	}
}
