package api

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"giro"
	"giro/ledger"
	"giro/money"
)

var balanceAnswer = &schema{kind: kindObject, name: "Balance", fields: []field{
	{name: "currency", schema: currencySchema}, {name: "available", schema: plainInteger}, {name: "pending", schema: plainInteger},
	{name: "reserved", schema: plainInteger}, {name: "returns", schema: plainInteger},
}}

// accountKinds are the roles of the chart as the API names them.
var accountKinds = []string{"main", string(giro.RoleSub), string(giro.RoleReserved), string(giro.RoleSubReserved), string(giro.RolePending), string(giro.RoleReturns),
	string(giro.RoleClearing), string(giro.RoleFees), string(giro.RoleSuspense), string(giro.RoleIntermerchant)}

var accountAtParam = param{name: "at", kind: paramTime, code: giro.CodeInvalidTime, about: "With the balance of a past instant."}

var accountAnswer = &schema{kind: kindObject, name: "Account", fields: []field{
	{name: "id", schema: idOf("acct")}, {name: "object", schema: oneOf("account")}, {name: "name", schema: null(plainText)},
	{name: "kind", schema: oneOf(accountKinds...), about: "Its place in the chart; main: the merchant's own account of a currency, sub: one that it has opened."},
	{name: "currency", schema: currencySchema}, {name: "balance", schema: plainInteger}, {name: "allow_negative", schema: flagSchema},
	{name: "closed", schema: flagSchema}, {name: "metadata", schema: metadataSchema},
	{name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime}, {name: "livemode", schema: flagSchema}, {name: "version", schema: plainInteger},
}}

var accountsAnswer = &schema{kind: kindObject, name: "AccountsSnapshot", fields: []field{
	{name: "as_of_sequence", schema: plainInteger}, {name: "accounts", schema: &schema{kind: kindList, item: accountAnswer}}}}

var accountCreateSchema = &schema{kind: kindObject, name: "AccountCreate", readOnly: []string{"id", "object", "kind", "balance", "closed", "created", "created_at", "livemode", "version"}, fields: []field{
	{name: "name", schema: text(1, 255), required: true},
	{name: "currency", schema: currencySchema, required: true},
	{name: "allow_negative", schema: flagSchema, about: "It may fall below zero; in live mode only where the merchant's negative_balance_allowed is set."},
	metadataField,
}}

var entryAnswer = &schema{kind: kindObject, name: "Entry", fields: []field{
	{name: "sequence", schema: plainInteger, about: "Of the ledger transaction."}, {name: "amount", schema: plainInteger, about: "Greater than 0: credit."},
	{name: "balance", schema: plainInteger, about: "After it."}, {name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime},
}}

var ledgerTransactionAnswer = &schema{kind: kindObject, name: "LedgerTransaction", fields: []field{
	{name: "id", schema: idOf("ltx")}, {name: "object", schema: oneOf("ledger_transaction")}, {name: "sequence", schema: plainInteger},
	{name: "cause", schema: plainText}, {name: "currency", schema: currencySchema}, {name: "source", schema: null(plainText), about: "The movement that caused it."},
	{name: "postings", schema: &schema{kind: kindList, item: &schema{kind: kindObject, name: "Posting", fields: []field{
		{name: "debit", schema: idOf("acct")}, {name: "credit", schema: idOf("acct")}, {name: "amount", schema: amountSchema}}}}},
	{name: "hash", schema: plainText}, {name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime},
}}

var trialAnswer = &schema{kind: kindObject, name: "TrialBalance", fields: []field{
	{name: "sequence", schema: plainInteger}, {name: "hash", schema: plainText},
	{name: "currencies", schema: &schema{kind: kindList, item: &schema{kind: kindObject, name: "TrialLine", fields: []field{
		{name: "currency", schema: currencySchema}, {name: "debits", schema: plainInteger}, {name: "credits", schema: plainInteger}}}}},
}}

var eventAnswer = &schema{kind: kindObject, name: "Event", fields: []field{
	{name: "id", schema: idOf("evt")}, {name: "object", schema: oneOf("event")}, {name: "type", schema: plainText, example: "payout.succeeded"},
	{name: "sequence", schema: plainInteger, about: "Gapless per merchant and mode."}, {name: "created", schema: plainInteger}, {name: "livemode", schema: flagSchema},
	{name: "data", schema: &schema{kind: kindObject, fields: []field{{name: "object", schema: &schema{kind: kindAny, about: "The object as it was then."}}}}},
}}

var idempotencyAnswer = &schema{kind: kindObject, name: "IdempotencyRecord", fields: []field{
	{name: "key", schema: plainText}, {name: "state", schema: oneOf("executing", "answered")}, {name: "status", schema: plainInteger},
	{name: "location", schema: null(plainText)}, {name: "source", schema: null(plainText), about: "The movement that it made or changed."},
	{name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime}, {name: "answer", schema: &schema{kind: kindAny}},
}}

var moneyRoutes = []*route{
	{method: "GET", path: "/v1/balances", id: "balances", tag: "balances", summary: "The balances of the main accounts, as one snapshot", access: accessSecret, status: 200,
		params:  []param{{name: "at", kind: paramTime, code: giro.CodeInvalidTime, about: "The balances of a past instant."}},
		answer:  &schema{kind: kindObject, name: "Balances", fields: []field{{name: "as_of_sequence", schema: plainInteger}, {name: "balances", schema: &schema{kind: kindList, item: balanceAnswer}}}},
		handler: balances},
	{method: "POST", path: "/v1/accounts", id: "createAccount", tag: "accounts", summary: "Open a sub-account", access: accessSecret, body: accountCreateSchema, status: 201, answer: accountAnswer,
		handler: func(c *call) error {
			name, currency, negative, metadata := c.body.text("name"), c.body.currency("currency"), c.body.flag("allow_negative", false), c.body.metadata("metadata")
			if negative && c.caller.Live && !c.caller.Merchant.NegativeBalanceAllowed {
				return giro.Refuse(giro.CodeForbidden, "/allow_negative", "in live mode an account may fall below zero where the merchant's balances may")
			}
			return c.command(renderAccount(http.StatusCreated), func(g *giro.Call) (any, error) {
				return c.engine().CreateAccount(c.ctx, g, name, currency, negative, metadata)
			})
		}},
	{method: "GET", path: "/v1/accounts", id: "listAccounts", tag: "accounts", summary: "List main accounts and sub-accounts, newest first", access: accessSecret, status: 200,
		about: "A bare array; with ids an object with the balances of one sequence.",
		params: []param{limitParam, cursorParam, {name: "ids", kind: paramList, max: 100, about: "Several accounts at one sequence, of any kind."},
			{name: "kind", kind: paramList, max: len(accountKinds), enum: accountKinds, about: "Other places of the chart too; main and sub if it is not sent."}, accountAtParam},
		answer: &schema{kind: kindEither, options: []*schema{{kind: kindList, item: accountAnswer}, accountsAnswer}}, handler: listAccounts},
	{method: "GET", path: "/v1/accounts/{id}", id: "retrieveAccount", tag: "accounts", summary: "Retrieve an account", access: accessSecret, params: []param{accountAtParam}, status: 200, answer: accountAnswer, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			a, _, err := c.account()
			if err != nil {
				return err
			}
			c.sendJSON(http.StatusOK, appendAccount(nil, a))
			return nil
		}},
	{method: "POST", path: "/v1/accounts/{id}/close", id: "closeAccount", tag: "accounts", summary: "Close an empty sub-account", access: accessSecret, body: emptySchema, bare: true, status: 200, answer: accountAnswer,
		about:  "It takes and gives nothing any more: what a rail brings to it afterwards, such as a payout that comes back, goes to the main account.",
		errors: []giro.Code{giro.CodeNotFound, giro.CodeAccountClosed, giro.CodeAccountNotEmpty},
		handler: func(c *call) error {
			id, err := c.pathID("acct", "account")
			if err != nil {
				return err
			}
			return c.command(renderAccount(http.StatusOK), func(g *giro.Call) (any, error) { return c.engine().CloseAccount(c.ctx, g, id) })
		}},
	{method: "GET", path: "/v1/accounts/{id}/entries", id: "accountEntries", tag: "accounts", summary: "The statement of an account, newest first", access: accessSecret, status: 200,
		params: []param{limitParam, cursorParam, {name: "before", kind: paramInteger, min: 1, max: 1 << 53, about: "Only entries of sequences below."},
			{name: "at", kind: paramTime, code: giro.CodeInvalidTime, about: "The statement as it stood at a past instant."}},
		answer: &schema{kind: kindList, item: entryAnswer}, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			a, sequence, err := c.account()
			if err != nil {
				return err
			}
			before := giro.EntryKey{Sequence: int64(c.query.integer("before", 0))}
			if c.query.has("at") && (before.Sequence == 0 || sequence < before.Sequence) {
				before.Sequence = sequence + 1
			}
			position, err := c.cursor()
			if err != nil {
				return err
			}
			if !position.IsZero() {
				before = giro.EntryKey{Sequence: int64(binary.BigEndian.Uint64(position[:8])), N: int(binary.BigEndian.Uint64(position[8:]))}
			}
			limit := c.query.integer("limit", listLimit)
			list, err := c.engine().Store.Entries(c.ctx, a.ID, before, limit+1)
			if err != nil {
				return err
			}
			if len(list) > limit {
				list = list[:limit]
				last := list[limit-1]
				binary.BigEndian.PutUint64(position[:8], uint64(last.Sequence))
				binary.BigEndian.PutUint64(position[8:], uint64(last.N))
				c.linkNext(position)
			}
			return sendList(c, list, func(b []byte, e giro.Entry) []byte {
				a := appender{b: b}
				a.number("sequence", e.Sequence)
				a.number("amount", e.Amount)
				a.number("balance", e.Balance)
				a.created(e.At)
				return a.close()
			})
		}},
	{method: "GET", path: "/v1/ledger/transactions", id: "listLedgerTransactions", tag: "ledger", summary: "List ledger transactions, newest first", access: accessSecret, status: 200,
		params: []param{limitParam, {name: "before", kind: paramInteger, min: 1, max: 1 << 53, about: "Only sequences below."}}, answer: &schema{kind: kindList, item: ledgerTransactionAnswer},
		handler: func(c *call) error {
			limit := c.query.integer("limit", listLimit)
			list, err := c.engine().Store.LedgerTransactions(c.ctx, giro.LedgerQuery{Book: c.book(), Before: int64(c.query.integer("before", 0)), Limit: limit})
			if err != nil {
				return err
			}
			if len(list) == limit && list[limit-1].Sequence > 1 {
				c.linkBefore(list[limit-1].Sequence)
			}
			return sendList(c, list, appendLedgerTransaction)
		}},
	{method: "GET", path: "/v1/ledger/transactions/{id}", id: "retrieveLedgerTransaction", tag: "ledger", summary: "Retrieve a ledger transaction", access: accessSecret, status: 200, answer: ledgerTransactionAnswer, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			id, err := c.pathID("ltx", "ledger transaction")
			if err != nil {
				return err
			}
			list, err := c.engine().Store.LedgerTransactions(c.ctx, giro.LedgerQuery{Book: c.book(), Sequence: max(giro.SequenceOf(id), 1), Limit: 1})
			if err != nil {
				return err
			}
			if len(list) == 0 || list[0].ID != id {
				return missing("ledger transaction")
			}
			c.sendJSON(http.StatusOK, appendLedgerTransaction(nil, list[0]))
			return nil
		}},
	{method: "GET", path: "/v1/ledger/trial_balance", id: "trialBalance", tag: "ledger", summary: "The sums of all debit and credit balances", access: accessEither, status: 200, answer: trialAnswer,
		about: "Of the key's merchant and mode; with the admin token of the whole installation.",
		handler: func(c *call) error {
			book := giro.Installation
			if c.caller.Merchant != nil {
				book = c.book()
			}
			t, err := c.engine().TrialBalance(c.ctx, book)
			if err != nil {
				return err
			}
			var a appender
			a.number("sequence", t.Sequence)
			a.text("hash", hex.EncodeToString(t.Hash[:]))
			a.key("currencies")
			a.b = appendList(a.b, t.Currencies, func(b []byte, line giro.TrialLine) []byte {
				l := appender{b: b}
				l.text("currency", line.Currency.Lower())
				l.number("debits", line.Debits)
				l.number("credits", line.Credits)
				return l.close()
			})
			c.sendJSON(http.StatusOK, a.close())
			return nil
		}},
	{method: "GET", path: "/v1/events", id: "listEvents", tag: "events", summary: "List events, newest first; oldest first after a sequence", access: accessSecret, status: 200,
		params: []param{limitParam, {name: "after", kind: paramInteger, min: 0, max: 1 << 53, about: "Only sequences above, oldest first."},
			{name: "before", kind: paramInteger, min: 1, max: 1 << 53, about: "Only sequences below, newest first."},
			{name: "types", kind: paramList, max: 50, about: "Exact types, or payout.*."},
			{name: "object", kind: paramText, max: 64, about: "Only events of this movement."}},
		answer: &schema{kind: kindList, item: eventAnswer}, handler: listEvents},
	{method: "GET", path: "/v1/events/{id}", id: "retrieveEvent", tag: "events", summary: "Retrieve an event", access: accessSecret, status: 200, answer: eventAnswer, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			id, err := c.pathID("evt", "event")
			if err != nil {
				return err
			}
			list, err := c.engine().Store.Events(c.ctx, giro.EventQuery{Book: c.book(), Sequence: max(giro.SequenceOf(id), 1), Limit: 1})
			if err != nil {
				return err
			}
			if len(list) == 0 || list[0].ID != id {
				return missing("event")
			}
			c.sendJSON(http.StatusOK, appendEvent(nil, list[0]))
			return nil
		}},
	{method: "GET", path: "/v1/idempotency/{key}", id: "retrieveIdempotency", tag: "idempotency", summary: "What an Idempotency-Key did", access: accessSecret, status: 200, answer: idempotencyAnswer, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			row, err := c.engine().Store.Idempotency(c.ctx, c.book(), c.path[0])
			if err != nil {
				return err
			}
			if row == nil {
				return missing("Idempotency-Key")
			}
			var a appender
			a.text("key", row.Key)
			state := "answered"
			if row.Executing {
				state = "executing"
			}
			a.text("state", state)
			a.number("status", int64(row.Status))
			a.maybe("location", row.Location)
			source := ""
			if !row.Object.IsZero() {
				source = row.Object.ID(row.Kind.Prefix())
			}
			a.maybe("source", source)
			a.created(row.Created)
			if json.Valid(row.Body) {
				a.raw("answer", row.Body)
			} else {
				a.raw("answer", []byte("null"))
			}
			c.sendJSON(http.StatusOK, a.close())
			return nil
		}},
}

func balances(c *call) error {
	q := giro.AccountQuery{Book: c.book(), Roles: []giro.Role{giro.RoleAvailable, giro.RolePending, giro.RoleReserved, giro.RoleReturns}, Limit: 1000}
	if c.query.has("at") {
		q.At = giro.Micros(c.query.time("at"))
	}
	accounts, sequence, err := c.engine().Store.Accounts(c.ctx, q)
	if err != nil {
		return err
	}
	sums := map[money.Currency]map[giro.Role]int64{}
	for _, a := range accounts {
		if sums[a.Currency] == nil {
			sums[a.Currency] = map[giro.Role]int64{}
		}
		sums[a.Currency][a.Role] += a.Balance
	}
	var currencies []money.Currency
	for currency := range sums {
		currencies = append(currencies, currency)
	}
	slices.Sort(currencies)
	var a appender
	a.number("as_of_sequence", sequence)
	a.key("balances")
	a.b = appendList(a.b, currencies, func(b []byte, currency money.Currency) []byte {
		one := appender{b: b}
		one.text("currency", currency.Lower())
		one.number("available", sums[currency][giro.RoleAvailable])
		one.number("pending", sums[currency][giro.RolePending])
		one.number("reserved", sums[currency][giro.RoleReserved])
		one.number("returns", sums[currency][giro.RoleReturns])
		return one.close()
	})
	c.sendJSON(http.StatusOK, a.close())
	return nil
}

// account reads the account in the path.
func (c *call) account() (*giro.Account, int64, error) {
	id, err := c.pathID("acct", "account")
	if err != nil {
		return nil, 0, err
	}
	q := giro.AccountQuery{Book: c.book(), IDs: []giro.UUID{id}, Limit: 1}
	if c.query.has("at") {
		q.At = giro.Micros(c.query.time("at"))
	}
	list, sequence, err := c.engine().Store.Accounts(c.ctx, q)
	if err != nil {
		return nil, 0, err
	}
	if len(list) == 0 {
		return nil, 0, missing("account")
	}
	return list[0], sequence, nil
}

func listAccounts(c *call) error {
	q := giro.AccountQuery{Book: c.book(), Roles: []giro.Role{giro.RoleAvailable, giro.RoleSub}, Descending: true, Limit: c.query.integer("limit", listLimit) + 1}
	if kinds := c.query.list("kind"); kinds != nil {
		q.Roles = nil
		for _, kind := range kinds {
			if kind == "main" {
				kind = string(giro.RoleAvailable)
			}
			q.Roles = append(q.Roles, giro.Role(kind))
		}
	}
	if c.query.has("at") {
		q.At = giro.Micros(c.query.time("at"))
	}
	snapshot := c.query.has("ids")
	if snapshot {
		var err error
		if q.IDs, err = c.idsOf("acct"); err != nil {
			return err
		}
		q.Limit, q.Roles = len(q.IDs), nil
	} else {
		var err error
		if q.After, err = c.cursor(); err != nil {
			return err
		}
	}
	list, sequence, err := c.engine().Store.Accounts(c.ctx, q)
	if err != nil {
		return err
	}
	if !snapshot {
		if len(list) == q.Limit {
			list = list[:q.Limit-1]
			c.linkNext(list[len(list)-1].ID)
		}
		return sendList(c, list, appendAccount)
	}
	a := appender{b: c.buffer[:0]}
	a.number("as_of_sequence", sequence)
	a.key("accounts")
	a.b = appendList(a.b, list, appendAccount)
	c.buffer = a.close()
	c.sendJSON(http.StatusOK, c.buffer)
	return nil
}

func appendAccount(b []byte, v *giro.Account) []byte {
	a := appender{b: b}
	a.text("id", v.ID.ID("acct"))
	a.text("object", "account")
	a.maybe("name", v.Name)
	kind := "main"
	if v.Role != giro.RoleAvailable {
		kind = string(v.Role)
	}
	a.text("kind", kind)
	a.text("currency", v.Currency.Lower())
	a.number("balance", v.Balance)
	a.flag("allow_negative", v.Negative)
	a.flag("closed", v.Closed)
	a.metadata(v.Metadata)
	a.created(v.Created)
	a.flag("livemode", v.Book.Live())
	a.number("version", v.Version)
	return a.close()
}

// renderAccount renders an account, given by value or by pointer.
func renderAccount(status int) func(any) giro.Answer {
	return func(v any) giro.Answer {
		account, ok := v.(*giro.Account)
		if !ok {
			one := v.(giro.Account)
			account = &one
		}
		return giro.Answer{Status: status, Body: appendAccount(nil, account), Location: "/v1/accounts/" + account.ID.ID("acct")}
	}
}

func appendLedgerTransaction(b []byte, t *giro.LedgerTransaction) []byte {
	a := appender{b: b}
	a.text("id", giro.UUID(t.ID).ID("ltx"))
	a.text("object", "ledger_transaction")
	a.number("sequence", t.Sequence)
	a.text("cause", t.Cause)
	a.text("currency", money.Currency(t.Currency).Lower())
	source := ""
	if t.Kind != "" {
		source = giro.UUID(t.Object).ID(t.Kind.Prefix())
	}
	a.maybe("source", source)
	a.key("postings")
	a.b = appendList(a.b, t.Postings, func(b []byte, p ledger.Posting) []byte {
		one := appender{b: b}
		one.text("debit", giro.UUID(p.Debit).ID("acct"))
		one.text("credit", giro.UUID(p.Credit).ID("acct"))
		one.number("amount", p.Amount)
		return one.close()
	})
	a.text("hash", hex.EncodeToString(t.Hash[:]))
	a.created(t.At)
	return a.close()
}

// linkBefore writes the Link header of lists that go by sequence.
func (c *call) linkBefore(sequence int64) { c.linkSequence("before", sequence) }

func (c *call) linkSequence(name string, sequence int64) {
	parts := []string{}
	for i, n := range c.query.names {
		if n != name {
			parts = append(parts, n+"="+url.QueryEscape(c.query.values[i]))
		}
	}
	parts = append(parts, name+"="+itoa(sequence))
	c.w.Header()["Link"] = []string{"<" + c.r.URL.EscapedPath() + "?" + strings.Join(parts, "&") + `>; rel="next"`}
}

func listEvents(c *call) error {
	q := giro.EventQuery{Book: c.book(), Types: c.query.list("types"), Limit: c.query.integer("limit", listLimit)}
	for _, t := range q.Types {
		if !eventPattern(t) {
			return giro.Refuse(giro.CodeInvalidParameter, "types", "must be a list of types such as payout.succeeded or payout.*")
		}
	}
	if v := c.query.text("object"); v != "" {
		prefix, _, _ := strings.Cut(v, "_")
		id, ok := giro.ParseID(prefix, v)
		if !ok {
			return giro.Refuse(giro.CodeInvalidParameter, "object", "must be the id of an object")
		}
		q.Object = id
	}
	if c.query.has("after") {
		if c.query.has("before") {
			return giro.Refuse(giro.CodeInvalidParameter, "before", "send after or before, not both")
		}
		q.After, q.Ascending = int64(c.query.integer("after", 0)), true
	} else {
		q.Before = int64(c.query.integer("before", 0))
	}
	store := c.engine().Store
	last := int64(0)
	if len(q.Types) > 0 && q.Object.IsZero() {
		// No index has the types: so many events are looked at, and the next page
		// goes on where that ends.
		head, err := store.Head(c.ctx, q.Book)
		if err != nil {
			return err
		}
		if head != nil {
			last = head.Events
		}
		if q.Ascending {
			q.To = q.After + scanMax
		} else if q.From = last + 1 - scanMax; q.Before > 0 {
			q.From = min(q.Before, last+1) - scanMax
		}
	}
	list, err := store.Events(c.ctx, q)
	if err != nil {
		return err
	}
	switch n := len(list); {
	case n == q.Limit && q.Ascending:
		c.linkSequence("after", list[n-1].Sequence)
	case n == q.Limit:
		if list[n-1].Sequence > 1 {
			c.linkBefore(list[n-1].Sequence)
		}
	case q.To > 0 && q.To < last:
		c.linkSequence("after", q.To)
	case q.From > 1:
		oldest, err := store.Events(c.ctx, giro.EventQuery{Book: q.Book, Ascending: true, Limit: 1})
		if err != nil {
			return err
		}
		if len(oldest) > 0 && oldest[0].Sequence < q.From {
			c.linkBefore(q.From)
		}
	}
	return sendList(c, list, appendEvent)
}

// streamPattern is eventPattern with the star anywhere.
func streamPattern(s string) bool {
	head, tail, _ := strings.Cut(s, "*")
	return eventPattern(head + tail)
}

// eventPattern accepts letters, digits, dots and underscores, and one star at
// the end.
func eventPattern(s string) bool {
	s = strings.TrimSuffix(s, "*")
	for i := range len(s) {
		if c := s[i]; c != '.' && c != '_' && !isLetter(c) && (c < '0' || c > '9') {
			return false
		}
	}
	return len(s) <= 64
}

// appendEvent writes an event.
func appendEvent(b []byte, e *giro.Event) []byte { return e.AppendJSON(b) }
