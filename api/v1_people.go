package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"giro"
	"giro/bank"
)

var merchantAnswer = &schema{kind: kindObject, name: "Merchant", fields: []field{
	{name: "id", schema: idOf("mer")}, {name: "object", schema: oneOf("merchant")}, {name: "name", schema: plainText}, {name: "email", schema: null(plainText)},
	{name: "phone", schema: null(plainText)}, {name: "currency", schema: null(plainText)}, {name: "status", schema: plainText},
	{name: "settlement_delay", schema: plainInteger, about: "Seconds."}, {name: "negative_balance_allowed", schema: flagSchema},
	{name: "hold_on_missing_funds", schema: flagSchema}, {name: "require_idempotency_key", schema: flagSchema},
	{name: "rails", schema: &schema{kind: kindAny}, about: "The live rail of a provider or of provider/method."},
	{name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime}, {name: "updated_at", schema: answerTime}, {name: "version", schema: plainInteger},
	{name: "keys", schema: &schema{kind: kindAny}, optional: true, about: "Once, when it is created."},
}}

var merchantReadOnly = []string{"id", "object", "status", "created", "created_at", "updated_at", "version", "keys"}

// railsSchema names the live rail of a provider or of provider/method.
var railsSchema = &schema{kind: kindMetadata, example: map[string]any{"bank/pix": "manual"}}

func merchantFields(required bool) []field {
	return []field{
		{name: "name", schema: text(1, 255), required: required},
		{name: "email", schema: emailSchema},
		{name: "phone", schema: judged(text(1, 32))},
		{name: "currency", schema: currencySchema, about: "Its main account is opened at once; other currencies when they are first used."},
		{name: "settlement_delay", schema: &schema{kind: kindInteger, min: 0, max: 366 * 24 * 3600}, about: "Seconds for which captured money waits in pending."},
		{name: "negative_balance_allowed", schema: flagSchema},
		{name: "hold_on_missing_funds", schema: flagSchema},
		{name: "require_idempotency_key", schema: flagSchema},
		{name: "rails", schema: railsSchema, about: "The live rail of a provider (bank) or of provider/method (bank/pix); the whole is replaced."},
	}
}

var (
	merchantCreateSchema = &schema{kind: kindObject, name: "MerchantCreate", readOnly: merchantReadOnly, fields: merchantFields(true)}
	merchantUpdateSchema = &schema{kind: kindObject, name: "MerchantUpdate", readOnly: append([]string{"currency"}, merchantReadOnly...), fields: slices.DeleteFunc(merchantFields(false), func(f field) bool { return f.name == "currency" })}
)

var keyAnswer = &schema{kind: kindObject, name: "APIKey", fields: []field{
	{name: "id", schema: idOf("key")}, {name: "object", schema: oneOf("api_key")}, {name: "name", schema: null(plainText)}, {name: "hint", schema: plainText},
	{name: "publishable", schema: flagSchema}, {name: "livemode", schema: flagSchema}, {name: "scopes", schema: &schema{kind: kindList, item: plainText}},
	{name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime}, {name: "expires_at", schema: null(plainText)}, {name: "revoked_at", schema: null(plainText)},
	{name: "last_used_at", optional: true, schema: null(plainText), about: "When it last asked for something, to the second or so; where keys are listed or retrieved."},
	{name: "last_used_address", optional: true, schema: null(plainText), about: "Where that came from."},
	{name: "secret", schema: plainText, optional: true, about: "Once, when it is created."},
}}

var keyCreateSchema = &schema{kind: kindObject, name: "APIKeyCreate", readOnly: []string{"id", "object", "hint", "livemode", "created", "created_at", "revoked_at", "secret"}, fields: []field{
	{name: "name", schema: text(1, 255)},
	{name: "publishable", schema: flagSchema},
	{name: "scopes", schema: listOf(&schema{kind: kindText, min: 1, max: 64, example: "payouts:read"}, 1, 50), about: "charges, charges:read, charges:write, …; everything if it is not sent."},
	{name: "expires_at", schema: timeSchema},
}}

var customerReadOnly = []string{"id", "object", "created", "created_at", "updated_at", "livemode", "version"}

var keyRollSchema = &schema{kind: kindObject, name: "APIKeyRoll", fields: []field{
	{name: "grace_seconds", schema: &schema{kind: kindInteger, min: 0, max: 30 * 24 * 3600}, about: "For how long the old key still works; 0 if it is not sent."},
}}

func customerFields(required bool) []field {
	return []field{
		{name: "name", schema: text(1, 255), required: required}, {name: "email", schema: emailSchema}, {name: "phone", schema: judged(text(1, 32))},
		{name: "document", schema: documentSchema}, referenceField, descriptionField, metadataField,
	}
}

var (
	customerCreateSchema = &schema{kind: kindObject, name: "CustomerCreate", readOnly: customerReadOnly, fields: customerFields(true)}
	customerUpdateSchema = &schema{kind: kindObject, name: "CustomerUpdate", readOnly: customerReadOnly, fields: customerFields(false)}
	customerAnswer       = &schema{kind: kindObject, name: "Customer", fields: []field{
		{name: "id", schema: idOf("cus")}, {name: "object", schema: oneOf("customer")}, {name: "name", schema: null(plainText)}, {name: "email", schema: null(plainText)},
		{name: "phone", schema: null(plainText)}, {name: "document", schema: &schema{kind: kindAny}}, {name: "reference", schema: null(plainText)},
		{name: "description", schema: null(plainText)}, {name: "metadata", schema: metadataSchema}, {name: "livemode", schema: flagSchema},
		{name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime}, {name: "updated_at", schema: answerTime}, {name: "version", schema: plainInteger},
	}}
)

var (
	sourceCreateSchema = &schema{kind: kindObject, name: "SourceCreate", readOnly: customerReadOnly, fields: []field{
		{name: "customer", schema: &schema{kind: kindText, min: 1, max: 64, refuse: giro.CodeCustomerUnknown}, required: true},
		{name: "provider", schema: providerSchema, required: true}, {name: "card", schema: cardSchema}, {name: "mobile", schema: mobileSchema}, {name: "bank", schema: bankSchema}, metadataField,
	}}
	sourceUpdateSchema = &schema{kind: kindObject, name: "SourceUpdate", readOnly: append([]string{"customer", "provider", "card", "mobile", "bank"}, customerReadOnly...), fields: []field{metadataField}}
	sourceAnswer       = &schema{kind: kindObject, name: "Source", fields: []field{
		{name: "id", schema: idOf("src")}, {name: "object", schema: oneOf("source")}, {name: "customer", schema: idOf("cus")}, {name: "provider", schema: plainText},
		{name: "card", schema: &schema{kind: kindAny}, optional: true}, {name: "mobile", schema: &schema{kind: kindAny}, optional: true}, {name: "bank", schema: &schema{kind: kindAny}, optional: true},
		{name: "metadata", schema: metadataSchema}, {name: "livemode", schema: flagSchema},
		{name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime}, {name: "updated_at", schema: answerTime}, {name: "version", schema: plainInteger},
	}}
)

var peopleRoutes = slices.Concat([]*route{
	{method: "POST", path: "/v1/merchants", id: "createMerchant", tag: "merchants", summary: "Create a merchant", access: accessAdmin, body: merchantCreateSchema, sealed: true, status: 201, answer: merchantAnswer,
		about: "Answers once with the keys of both modes.", handler: createMerchant},
	{method: "GET", path: "/v1/merchants", id: "listMerchants", tag: "merchants", summary: "List merchants, newest first", access: accessEither, params: []param{limitParam, cursorParam}, status: 200, answer: &schema{kind: kindList, item: merchantAnswer},
		about: "With a key: its own.", handler: listMerchants},
	{method: "GET", path: "/v1/merchants/{id}", id: "retrieveMerchant", tag: "merchants", summary: "Retrieve a merchant", access: accessEither, status: 200, answer: merchantAnswer, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			m, err := c.merchant()
			if err != nil {
				return err
			}
			c.w.Header()["Etag"] = []string{etag(m.Version)}
			c.sendJSON(http.StatusOK, appendMerchant(nil, m, nil))
			return nil
		}},
	{method: "PUT", path: "/v1/merchants/{id}", id: "updateMerchant", tag: "merchants", summary: "Update a merchant", access: accessEither,
		about: "A merchant's own credential makes it safer, never less safe: to let balances fall below zero, to settle sooner and to choose rails takes the admin token.", body: merchantUpdateSchema, status: 200, answer: merchantAnswer,
		errors: []giro.Code{giro.CodeNotFound, giro.CodePreconditionFailed}, handler: updateMerchant},
	{method: "DELETE", path: "/v1/merchants/{id}", id: "deleteMerchant", tag: "merchants", summary: "Close a merchant", access: accessAdmin, status: 200, answer: messageAnswer,
		about:   "Its keys work no more and it is shown no more; its books stay. Refused while one of its accounts holds or owes money, or a movement is open, in either mode.",
		errors:  []giro.Code{giro.CodeNotFound, giro.CodeAccountNotEmpty, giro.CodeInFlight},
		handler: deletes("mer", "merchant", (*giro.Engine).CloseMerchant)},

	{method: "POST", path: "/v1/api_keys", id: "createKey", tag: "api_keys", summary: "Create an API key", access: accessSecret, body: keyCreateSchema, sealed: true, status: 201, answer: keyAnswer,
		about: "Of the same merchant and mode. Its secret is answered this once. A restricted key makes no key with more scopes than its own.", handler: createKey},
	{method: "GET", path: "/v1/api_keys", id: "listKeys", tag: "api_keys", summary: "List API keys, newest first", access: accessSecret, params: []param{limitParam, cursorParam}, status: 200, answer: &schema{kind: kindList, item: keyAnswer},
		handler: listKeys},
	{method: "GET", path: "/v1/api_keys/{id}", id: "retrieveKey", tag: "api_keys", summary: "Retrieve an API key", access: accessSecret, status: 200, answer: keyAnswer, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			id, err := c.pathID("key", "key")
			if err != nil {
				return err
			}
			k, err := c.engine().Key(c.ctx, c.book(), id)
			if err != nil {
				return err
			}
			uses, err := c.keyUses(id)
			if err != nil {
				return err
			}
			c.sendJSON(http.StatusOK, appendUsedKey(nil, k, uses[id]))
			return nil
		}},
	{method: "POST", path: "/v1/api_keys/{id}/roll", id: "rollKey", tag: "api_keys", summary: "Replace an API key", access: accessSecret, body: keyRollSchema, bare: true, sealed: true, status: 201, answer: keyAnswer,
		about: "The new key may do what the old one may. Its secret is answered this once. The old one ends at once, or after the grace period.", errors: []giro.Code{giro.CodeNotFound, giro.CodeInvalidState}, handler: rollKey},
	{method: "DELETE", path: "/v1/api_keys/{id}", id: "revokeKey", tag: "api_keys", summary: "Revoke an API key", access: accessSecret, status: 200, answer: keyAnswer, errors: []giro.Code{giro.CodeNotFound},
		handler: func(c *call) error {
			id, err := c.pathID("key", "key")
			if err != nil {
				return err
			}
			k, err := c.engine().RevokeKey(c.ctx, c.giroCall(nil), c.book(), id, giro.Micros(c.at))
			if err != nil {
				return err
			}
			c.sendJSON(http.StatusOK, appendKey(nil, k, ""))
			return nil
		}},
},
	documentRoutes(giro.DocCustomer, "customer", "cus", customerCreateSchema, customerUpdateSchema, customerAnswer, writeCustomer, appendCustomer),
	documentRoutes(giro.DocSource, "source", "src", sourceCreateSchema, sourceUpdateSchema, sourceAnswer, writeSource, appendSource),
)

func etag(version int64) string { return `"` + itoa(version) + `"` }

// merchant reads the merchant in the path: any with the admin token, else the
// caller's own.
func (c *call) merchant() (*giro.Merchant, error) {
	id, err := c.pathID("mer", "merchant")
	if err != nil {
		return nil, err
	}
	if c.caller.Merchant != nil && c.caller.Merchant.ID != id {
		return nil, missing("merchant")
	}
	return c.engine().MerchantByID(c.ctx, id)
}

func createMerchant(c *call) error {
	m := giro.Merchant{Name: c.body.text("name"), Currency: string(c.body.currency("currency"))}
	if err := c.setMerchant(&m); err != nil {
		return err
	}
	return c.command(func(v any) giro.Answer {
		t := v.(*giro.Tenant)
		keys, err := json.Marshal(struct {
			Test giro.KeySet `json:"test"`
			Live giro.KeySet `json:"live"`
		}{t.Test, t.Live})
		if err != nil { // strings alone
			panic(err)
		}
		return giro.Answer{Status: http.StatusCreated, Body: appendMerchant(nil, t.Merchant, keys), Location: "/v1/merchants/" + t.Merchant.ID.ID("mer")}
	}, func(g *giro.Call) (any, error) { return c.engine().CreateTenant(c.ctx, g, m) })
}

// setMerchant takes over what the body has. What makes a merchant less safe is
// the administrator's to decide.
func (c *call) setMerchant(m *giro.Merchant) error {
	body := c.body
	only := func(name, what string) error {
		if c.caller.Admin {
			return nil
		}
		return giro.Refuse(giro.CodeForbidden, "/"+name, what+" takes the installation's admin token")
	}
	if body.has("name") {
		m.Name = body.text("name")
	}
	if body.has("email") {
		m.Email = body.text("email")
	}
	if body.has("phone") {
		phone, err := bank.ParsePhone(body.text("phone"))
		if err != nil {
			return giro.RefuseNumber(giro.CodePhoneInvalid, "/phone", err)
		}
		m.Phone = phone
	}
	if body.has("settlement_delay") {
		delay := body.integer("settlement_delay")
		if delay < m.SettlementDelaySeconds {
			if err := only("settlement_delay", "to settle sooner"); err != nil {
				return err
			}
		}
		m.SettlementDelaySeconds = delay
	}
	if negative := body.flag("negative_balance_allowed", m.NegativeBalanceAllowed); negative != m.NegativeBalanceAllowed {
		if negative {
			if err := only("negative_balance_allowed", "to let balances fall below zero"); err != nil {
				return err
			}
		}
		m.NegativeBalanceAllowed = negative
	}
	m.HoldOnMissingFunds = body.flag("hold_on_missing_funds", m.HoldOnMissingFunds)
	m.RequireIdempotencyKey = body.flag("require_idempotency_key", m.RequireIdempotencyKey)
	if body.has("rails") {
		if err := only("rails", "to choose rails"); err != nil {
			return err
		}
		m.Rails = map[string]string{}
		for means, name := range body.metadata("rails") {
			provider, method, named := strings.Cut(means, "/")
			if !slices.Contains(providerSchema.enum, provider) || named && (provider != "bank" || !slices.Contains(giro.BankMethods, method)) {
				return giro.Refuse(giro.CodeInvalidValue, "/rails", "a name must be card, mobile or bank, or bank/ and a method such as bank/pix")
			}
			if name == "sandbox" || c.engine().Rails[name] == nil {
				return giro.Refuse(giro.CodeInvalidValue, appendPointer("/rails", means), "there is no such rail for live mode")
			}
			m.Rails[means] = name
		}
	}
	return nil
}

// again runs an update that read a document before it changed it. Where another
// change came between and the caller did not insist on a version, it is done
// once more on the new one.
func again(version int64, update func() error) error {
	for range 10 {
		if err := update(); version > 0 || !giro.Is(err, giro.CodePreconditionFailed) {
			return err
		}
	}
	return &giro.Error{Code: giro.CodeUnavailable, Message: "the object is being changed too often; send the request again", RetryAfter: time.Second}
}

func updateMerchant(c *call) error {
	version, err := ifMatch(c.r.Header)
	if err != nil {
		return err
	}
	return again(version, func() error {
		m, err := c.merchant()
		if err != nil {
			return err
		}
		if c.doc.nodes[0].count == 0 {
			return giro.Refuse(giro.CodeNothingToUpdate, "", "send at least one field")
		}
		if err := c.setMerchant(m); err != nil {
			return err
		}
		if version > 0 {
			m.Version = version
		}
		return c.command(func(v any) giro.Answer {
			return giro.Answer{Status: http.StatusOK, Body: appendMerchant(nil, v.(*giro.Merchant), nil)}
		}, func(g *giro.Call) (any, error) { return c.engine().UpdateMerchant(c.ctx, g, m) })
	})
}

func listMerchants(c *call) error {
	if c.caller.Merchant != nil {
		return sendList(c, []*giro.Merchant{c.caller.Merchant}, func(b []byte, m *giro.Merchant) []byte { return appendMerchant(b, m, nil) })
	}
	before, err := c.cursor()
	if err != nil {
		return err
	}
	limit := c.query.integer("limit", listLimit)
	var page []*giro.Merchant
	for len(page) <= limit { // closed ones are passed over
		docs, err := c.engine().Store.Documents(c.ctx, giro.DocumentQuery{Kind: giro.DocMerchant, Book: giro.AllBooks, Before: before, Limit: limit + 1})
		if err != nil {
			return err
		}
		for _, d := range docs {
			m, err := giro.DecodeMerchant(d)
			if err != nil {
				return err
			}
			if before = d.ID; m.Status != giro.MerchantClosed {
				page = append(page, m)
			}
		}
		if len(docs) <= limit {
			break
		}
	}
	if len(page) > limit {
		page = page[:limit]
		c.linkNext(page[limit-1].ID)
	}
	return sendList(c, page, func(b []byte, m *giro.Merchant) []byte { return appendMerchant(b, m, nil) })
}

func appendMerchant(b []byte, m *giro.Merchant, keys []byte) []byte {
	a := appender{b: b}
	a.text("id", m.ID.ID("mer"))
	a.text("object", "merchant")
	a.text("name", m.Name)
	a.maybe("email", m.Email)
	a.maybe("phone", m.Phone)
	a.maybe("currency", strings.ToLower(m.Currency))
	a.text("status", m.Status)
	a.number("settlement_delay", m.SettlementDelaySeconds)
	a.flag("negative_balance_allowed", m.NegativeBalanceAllowed)
	a.flag("hold_on_missing_funds", m.HoldOnMissingFunds)
	a.flag("require_idempotency_key", m.RequireIdempotencyKey)
	a.key("rails")
	a.b = appendMetadata(a.b, m.Rails)
	a.times(m.Created, m.Updated)
	a.number("version", m.Version)
	if keys != nil {
		a.raw("keys", keys)
	}
	return a.close()
}

func createKey(c *call) error {
	k := giro.APIKey{Live: c.caller.Live, Publishable: c.body.flag("publishable", false), Name: c.body.text("name"), Scopes: c.body.texts("scopes")}
	for n, scope := range k.Scopes {
		tag, act, cut := strings.Cut(scope, ":")
		known := slices.ContainsFunc(c.s.table, func(r *route) bool { return r.tag == tag && r.access != accessPublic })
		if !known || cut && act != "read" && act != "write" {
			return giro.Refuse(giro.CodeInvalidValue, "/scopes/"+itoa(int64(n)), "must be the name of a group of routes, alone or with :read or :write behind it, such as payouts:read")
		}
	}
	if err := c.caller.covers(k.Scopes); err != nil {
		return err
	}
	if err := c.caller.mayMake(&k); err != nil {
		return err
	}
	if c.body.has("expires_at") {
		k.Expires = giro.Micros(c.body.time("expires_at"))
		if k.Expires <= giro.Micros(c.at) {
			return giro.Refuse(giro.CodeInvalidValue, "/expires_at", "must be in the future")
		}
	}
	return c.command(renderNewKey, func(g *giro.Call) (any, error) { return c.engine().CreateKey(c.ctx, g, c.caller.Merchant, k) })
}

func renderNewKey(v any) giro.Answer {
	n := v.(*giro.NewKey)
	return giro.Answer{Status: http.StatusCreated, Body: appendKey(nil, n.Key, n.Secret), Location: "/v1/api_keys/" + n.Key.ID.ID("key")}
}

// covers refuses scopes that the caller does not have.
func (caller *Caller) covers(scopes []string) error {
	own := caller.Scopes
	if len(own) == 0 {
		return nil
	}
	beyond := giro.Refuse(giro.CodeForbidden, "/scopes", "a restricted key makes only keys with some of its own scopes")
	if len(scopes) == 0 {
		return beyond
	}
	for _, s := range scopes {
		tag, _, _ := strings.Cut(s, ":")
		if !slices.Contains(own, s) && !slices.Contains(own, tag) {
			return beyond
		}
	}
	return nil
}

// mayMake refuses a person the live secret key with which they could do what
// their role keeps from them.
func (caller *Caller) mayMake(k *giro.APIKey) error {
	if caller.In == nil || !k.Live || k.Publishable || caller.Duty.May(giro.MaySetUp, true) {
		return nil
	}
	return giro.Refuse(giro.CodeForbidden, "role", "the role "+string(caller.Duty)+" makes no secret keys in live mode; ask an owner or admin")
}

// rollKey replaces a key by one that may do the same; the old one ends now or
// after a grace period.
func rollKey(c *call) error {
	id, err := c.pathID("key", "key")
	if err != nil {
		return err
	}
	until := giro.Micros(c.at) + c.body.integer("grace_seconds")*1_000_000
	return c.command(renderNewKey, func(g *giro.Call) (any, error) {
		return c.engine().RollKey(c.ctx, g, id, until, func(old *giro.APIKey) error { return c.caller.covers(old.Scopes) })
	})
}

// listKeys shows each key with its last use.
func listKeys(c *call) error {
	var uses map[giro.UUID]giro.KeyUse
	return listDocuments(c, giro.DocKey, func(docs []*giro.StoredDocument) (err error) {
		ids := make([]giro.UUID, len(docs))
		for i, d := range docs {
			ids[i] = d.ID
		}
		uses, err = c.keyUses(ids...)
		return err
	}, func(b []byte, d *giro.StoredDocument) ([]byte, error) {
		var k giro.APIKey
		if err := json.Unmarshal(d.Data, &k); err != nil {
			return nil, err
		}
		return appendUsedKey(b, &k, uses[k.ID]), nil
	})
}

// keyUses returns when keys were last used; those of a moment ago too.
func (c *call) keyUses(keys ...giro.UUID) (map[giro.UUID]giro.KeyUse, error) {
	c.s.flushRequests(c.ctx)
	found, err := c.engine().Store.KeyUses(c.ctx, keys)
	uses := make(map[giro.UUID]giro.KeyUse, len(found))
	for _, u := range found {
		uses[u.Key] = u
	}
	return uses, err
}

func appendUsedKey(b []byte, k *giro.APIKey, u giro.KeyUse) []byte {
	a := keyFields(b, k)
	a.maybe("last_used_at", instant(u.At))
	a.maybe("last_used_address", u.Address)
	return a.close()
}

func appendKey(b []byte, k *giro.APIKey, secret string) []byte {
	a := keyFields(b, k)
	if secret != "" {
		a.text("secret", secret)
	}
	return a.close()
}

func keyFields(b []byte, k *giro.APIKey) appender {
	a := appender{b: b}
	a.text("id", k.ID.ID("key"))
	a.text("object", "api_key")
	a.maybe("name", k.Name)
	a.text("hint", k.Hint)
	a.flag("publishable", k.Publishable)
	a.flag("livemode", k.Live)
	a.texts("scopes", k.Scopes)
	a.created(k.Created)
	a.maybe("expires_at", instant(k.Expires))
	a.maybe("revoked_at", instant(k.Revoked))
	return a
}

func instant(micros int64) string {
	if micros == 0 {
		return ""
	}
	return giro.TimeOf(micros).Format(time.RFC3339)
}

// documentRoutes are the five routes of a noun that carries no money. write
// fills d's Data, Lookup and Parent from the body; d is the present document
// where one is updated.
func documentRoutes(kind giro.DocumentKind, noun, prefix string, create, update, answer *schema,
	write func(c *call, d *giro.StoredDocument) error, show func([]byte, *giro.StoredDocument) ([]byte, error)) []*route {
	tag, path := noun+"s", "/v1/"+noun+"s"
	name := upper(noun)
	taken := giro.Refuse(giro.CodeDuplicateReference, "/reference", "this reference belongs to another "+noun)
	render := func(status int) func(any) giro.Answer {
		return func(v any) giro.Answer {
			d := v.(*giro.StoredDocument)
			body, err := show(nil, d)
			if err != nil { // it was encoded a moment ago
				panic(err)
			}
			return giro.Answer{Status: status, Body: body, Location: path + "/" + d.ID.ID(prefix)}
		}
	}
	// The same data is the same body but for what giro sets itself.
	same := func(d *giro.StoredDocument) func(old *giro.StoredDocument) bool {
		return func(old *giro.StoredDocument) bool {
			was := *old
			was.ID, was.Created, was.Updated, was.Version = d.ID, d.Created, d.Updated, d.Version
			a, err := show(nil, &was)
			b, otherErr := show(nil, d)
			return err == nil && otherErr == nil && bytes.Equal(a, b)
		}
	}
	made := func(v any) giro.Answer {
		r := v.(*giro.DocumentResult)
		if r.Existing {
			return render(http.StatusOK)(r.Document)
		}
		return render(http.StatusCreated)(r.Document)
	}
	params := []param{limitParam, cursorParam}
	switch kind {
	case giro.DocCustomer:
		params = append(params, param{name: "ids", kind: paramList, max: 100, about: "Only these, newest first and all at once; those that there are not are left out."})
	case giro.DocSource:
		params = append(params, param{name: "customer", kind: paramID, prefix: "cus", about: "Only those of this customer."})
	}
	read := func(c *call) (*giro.StoredDocument, error) {
		id, err := c.pathID(prefix, noun)
		if err != nil {
			return nil, err
		}
		d, err := c.engine().Store.Document(c.ctx, kind, id)
		if err != nil {
			return nil, err
		}
		if d == nil || d.Book != c.book() {
			return nil, missing(noun)
		}
		return d, nil
	}
	return []*route{
		{method: "POST", path: path, id: "create" + name, tag: tag, summary: "Create a " + noun, access: accessSecret, body: create, status: 201, answer: answer,
			handler: func(c *call) error {
				now := giro.Micros(c.at)
				d := &giro.StoredDocument{Kind: kind, ID: c.s.config.NewID(c.at), Book: c.book(), Created: now, Updated: now}
				if err := write(c, d); err != nil {
					return err
				}
				return c.command(made, func(g *giro.Call) (any, error) { return c.engine().CreateDocument(c.ctx, g, d, same(d), taken) })
			}},
		{method: "GET", path: path, id: "list" + name + "s", tag: tag, summary: "List " + tag + ", newest first", access: accessSecret, params: params, status: 200,
			answer: &schema{kind: kindList, item: answer}, handler: func(c *call) error { return listDocuments(c, kind, nil, show) }},
		{method: "GET", path: path + "/{id}", id: "retrieve" + name, tag: tag, summary: "Retrieve a " + noun, access: accessSecret, status: 200, answer: answer, errors: []giro.Code{giro.CodeNotFound},
			handler: func(c *call) error {
				d, err := read(c)
				if err != nil {
					return err
				}
				c.w.Header()["Etag"] = []string{etag(d.Version)}
				b, err := show(nil, d)
				if err != nil {
					return err
				}
				c.sendJSON(http.StatusOK, b)
				return nil
			}},
		{method: "PUT", path: path + "/{id}", id: "update" + name, tag: tag, summary: "Update a " + noun, access: accessSecret, body: update, status: 200, answer: answer, errors: []giro.Code{giro.CodeNotFound, giro.CodePreconditionFailed},
			handler: func(c *call) error {
				version, err := ifMatch(c.r.Header)
				if err != nil {
					return err
				}
				return again(version, func() error {
					d, err := read(c)
					if err != nil {
						return err
					}
					if c.doc.nodes[0].count == 0 {
						return giro.Refuse(giro.CodeNothingToUpdate, "", "send at least one field")
					}
					if err := write(c, d); err != nil {
						return err
					}
					if version > 0 {
						d.Version = version
					}
					return c.command(render(http.StatusOK), func(g *giro.Call) (any, error) { return c.engine().Put(c.ctx, g, taken, d) })
				})
			}},
		{method: "DELETE", path: path + "/{id}", id: "delete" + name, tag: tag, summary: "Delete a " + noun, access: accessSecret, status: 200, answer: messageAnswer, errors: []giro.Code{giro.CodeNotFound},
			handler: deletes(prefix, noun, func(e *giro.Engine, ctx context.Context, g *giro.Call, id giro.UUID) error {
				return e.DeleteDocument(ctx, g, kind, id)
			})},
	}
}

// lists is the handler that lists documents of one kind by their stored form.
func lists[T any](kind giro.DocumentKind, show func([]byte, *T) []byte) func(*call) error {
	return func(c *call) error {
		return listDocuments(c, kind, nil, func(b []byte, d *giro.StoredDocument) ([]byte, error) {
			var v T
			if err := json.Unmarshal(d.Data, &v); err != nil {
				return nil, err
			}
			return show(b, &v), nil
		})
	}
}

// idsOf reads the parameter ids of a list: nil where it was not sent.
func (c *call) idsOf(prefix string) ([]giro.UUID, error) {
	if !c.query.has("ids") {
		return nil, nil
	}
	ids := []giro.UUID{}
	for _, v := range c.query.list("ids") {
		id, ok := giro.ParseID(prefix, v)
		if !ok {
			return nil, giro.Refuse(giro.CodeInvalidParameter, "ids", "must be a list of ids that begin with "+prefix+"_")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// listDocuments answers a page of documents; gather, if there is one, is shown the
// page before show is shown its lines.
func listDocuments(c *call, kind giro.DocumentKind, gather func([]*giro.StoredDocument) error, show func([]byte, *giro.StoredDocument) ([]byte, error)) error {
	before, err := c.cursor()
	if err != nil {
		return err
	}
	limit := c.query.integer("limit", listLimit)
	parent, _ := giro.ParseID("cus", c.query.text("customer"))
	ids, err := c.idsOf("cus")
	if err != nil {
		return err
	}
	if ids != nil {
		limit = len(ids)
	}
	docs, err := c.engine().Store.Documents(c.ctx, giro.DocumentQuery{Kind: kind, Book: c.book(), Parent: parent, Before: before, Limit: limit + 1, IDs: ids})
	if err != nil {
		return err
	}
	if len(docs) > limit {
		docs = docs[:limit]
		c.linkNext(docs[limit-1].ID)
	}
	if gather != nil {
		if err := gather(docs); err != nil {
			return err
		}
	}
	b := append(c.buffer[:0], '[')
	for i, d := range docs {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = show(b, d); err != nil {
			return err
		}
	}
	c.buffer = append(b, ']')
	c.sendJSON(http.StatusOK, c.buffer)
	return nil
}

// document ends what is shown of a document.
func (a *appender) document(d *giro.StoredDocument, metadata map[string]string) []byte {
	a.metadata(metadata)
	a.flag("livemode", d.Book.Live())
	a.times(d.Created, d.Updated)
	a.number("version", d.Version)
	return a.close()
}

func writeCustomer(c *call, d *giro.StoredDocument) error {
	var v giro.Customer
	if d.Data != nil {
		if err := json.Unmarshal(d.Data, &v); err != nil {
			return err
		}
	}
	p, err := party(c.body, "", "")
	if err != nil {
		return err
	}
	if c.body.has("name") {
		v.Name = p.Name
	}
	if c.body.has("email") {
		v.Email = p.Email
	}
	if c.body.has("phone") {
		v.Phone = p.Phone
	}
	if c.body.has("document") {
		v.Document = p.Document
	}
	if c.body.has("reference") {
		v.Reference = c.body.text("reference")
		d.Lookup = giro.CustomerLookup(d.Book, v.Reference)
	}
	if c.body.has("description") {
		v.Description = c.body.text("description")
	}
	if c.body.has("metadata") {
		v.Metadata = c.body.metadata("metadata")
	}
	v.ID, v.Created = d.ID, d.Created
	d.Data, err = json.Marshal(&v)
	return err
}

func appendCustomer(b []byte, d *giro.StoredDocument) ([]byte, error) {
	var v giro.Customer
	if err := json.Unmarshal(d.Data, &v); err != nil {
		return nil, err
	}
	document, err := json.Marshal(v.Document)
	if err != nil {
		return nil, err
	}
	a := appender{b: b}
	a.text("id", d.ID.ID("cus"))
	a.text("object", "customer")
	a.maybe("name", v.Name)
	a.maybe("email", v.Email)
	a.maybe("phone", v.Phone)
	a.raw("document", document)
	a.maybe("reference", v.Reference)
	a.maybe("description", v.Description)
	return a.document(d, v.Metadata), nil
}

func writeSource(c *call, d *giro.StoredDocument) error {
	var v giro.Source
	if d.Data != nil {
		if err := json.Unmarshal(d.Data, &v); err != nil {
			return err
		}
	} else {
		customer, ok := giro.ParseID("cus", c.body.text("customer"))
		if !ok {
			return giro.Refuse(giro.CodeCustomerUnknown, "/customer", "there is no such customer")
		}
		v.ID, v.Customer, v.Created, v.Provider = d.ID, customer, d.Created, c.body.text("provider")
		if err := provider(c.body, v.Provider, "", true, &v.Card, &v.Mobile, &v.Bank); err != nil {
			return err
		}
		if v.Card != nil && !d.Book.Live() {
			card, err := giro.SandboxCard(v.Card.Token)
			if err != nil {
				return err
			}
			v.Card = card
		}
		d.Parent = customer
	}
	if c.body.has("metadata") {
		v.Metadata = c.body.metadata("metadata")
	}
	var err error
	d.Data, err = json.Marshal(&v)
	return err
}

func appendSource(b []byte, d *giro.StoredDocument) ([]byte, error) {
	var v giro.Source
	if err := json.Unmarshal(d.Data, &v); err != nil {
		return nil, err
	}
	a := appender{b: b}
	a.text("id", d.ID.ID("src"))
	a.text("object", "source")
	a.text("customer", v.Customer.ID("cus"))
	a.text("provider", v.Provider)
	if v.Card != nil {
		// The token is a secret between its provider and the merchant.
		card := appender{}
		card.maybe("brand", v.Card.Brand)
		card.maybe("last4", v.Card.Last4)
		a.raw("card", card.close())
	}
	for _, part := range []struct {
		name  string
		value any
		set   bool
	}{{"mobile", v.Mobile, v.Mobile != nil}, {"bank", v.Bank, v.Bank != nil}} {
		if part.set {
			j, err := json.Marshal(part.value)
			if err != nil {
				return nil, err
			}
			a.raw(part.name, j)
		}
	}
	return a.document(d, v.Metadata), nil
}
