package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"giro"
)

var actAnswer = &schema{kind: kindObject, name: "Act", fields: []field{
	{name: "id", schema: idOf("act")}, {name: "object", schema: oneOf("act")},
	{name: "person", schema: &schema{kind: kindObject, name: "ActPerson", fields: []field{{name: "id", schema: idOf("per")}, {name: "name", schema: plainText}, {name: "email", schema: plainText}}}},
	{name: "action", schema: plainText, about: "The operation of this document that the person carried out, or signIn.", example: "createRefund"},
	{name: "target", schema: null(plainText), about: "What it was done to."}, {name: "address", schema: null(plainText)}, {name: "request_id", schema: null(plainText)}, {name: "livemode", schema: flagSchema},
	{name: "request", schema: &schema{kind: kindAny}, optional: true, about: "What was asked of a movement, without its card."},
	{name: "changes", schema: &schema{kind: kindList, item: &schema{kind: kindObject, name: "ActChange", fields: []field{
		{name: "kind", schema: plainText}, {name: "id", schema: null(plainText)}, {name: "before", schema: &schema{kind: kindAny}, optional: true}, {name: "after", schema: &schema{kind: kindAny}, optional: true},
	}}}, about: "The members that differ, at most of 20 objects; secrets are left out."},
	{name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime},
}}

var auditRoutes = []*route{
	{method: "GET", path: "/v1/audit", id: "listActs", tag: "audit", summary: "What people did, newest first", access: accessSecret, status: 200, answer: &schema{kind: kindList, item: actAnswer},
		about: "Both modes. A line is written in the commit of what it tells and never changed; no route writes or deletes one.",
		params: []param{limitParam, cursorParam,
			{name: "person", kind: paramID, prefix: "per", about: "Only what this person did."},
			{name: "action", kind: paramText, max: 64, about: "Only this operation."},
			{name: "target", kind: paramText, max: 64, about: "Only what was done to this object, by its id."}},
		handler: listActs},
}

// actsScanned bounds the lines that the filters of the audit log look at per
// page; a cursor is answered then.
const actsScanned = 5000

func listActs(c *call) error {
	before, err := c.cursor()
	if err != nil {
		return err
	}
	limit := c.query.integer("limit", listLimit)
	person, _ := giro.ParseID("per", c.query.text("person"))
	action := c.query.text("action")
	q := giro.DocumentQuery{Kind: giro.DocAct, Limit: 500}
	if v := c.query.text("target"); v != "" {
		prefix, _, _ := strings.Cut(v, "_")
		target, ok := giro.ParseID(prefix, v)
		if !ok {
			return sendList(c, []int{}, func(b []byte, _ int) []byte { return b })
		}
		q.Parent = target
	}
	number := c.caller.Merchant.Number
	a := append(c.buffer[:0], '[')
	sent, seen := 0, 0
	for sent < limit && seen < actsScanned {
		var page []*giro.StoredDocument
		for _, live := range []bool{false, true} {
			one := q
			one.Book, one.Before = giro.BookOf(number, live), before
			docs, err := c.engine().Store.Documents(c.ctx, one)
			if err != nil {
				return err
			}
			page = append(page, docs...)
		}
		slices.SortFunc(page, func(x, y *giro.StoredDocument) int { return -slices.Compare(x.ID[:], y.ID[:]) })
		more := len(page) >= q.Limit
		page = page[:min(len(page), q.Limit)] // below, one of the books may not be complete
		for i, d := range page {
			seen++
			before = d.ID
			var act giro.Act
			if err := json.Unmarshal(d.Data, &act); err != nil {
				return err
			}
			if !person.IsZero() && act.Person != person || action != "" && act.Action != action {
				continue
			}
			if sent > 0 {
				a = append(a, ',')
			}
			a = appendAct(a, &act, d)
			if sent++; sent == limit {
				more = more || i < len(page)-1
				break
			}
		}
		if !more {
			before = giro.UUID{}
			break
		}
	}
	if !before.IsZero() {
		c.linkNext(before)
	}
	c.buffer = append(a, ']')
	c.sendJSON(http.StatusOK, c.buffer)
	return nil
}

// prefixes of the ids of what acts are done to.
var targetPrefixes = map[string]string{
	string(giro.KindCharge): "ch", string(giro.KindRefund): "re", string(giro.KindPayout): "po", string(giro.KindTransfer): "tr",
	string(giro.DocMerchant): "mer", string(giro.DocKey): "key", string(giro.DocCustomer): "cus", string(giro.DocSource): "src", string(giro.DocEndpoint): "we",
	string(giro.DocPerson): "per", string(giro.DocMember): "per", string(giro.DocInvitation): "inv", string(giro.DocView): "view",
}

func appendAct(b []byte, act *giro.Act, d *giro.StoredDocument) []byte {
	a := appender{b: b}
	a.text("id", act.ID.ID("act"))
	a.text("object", "act")
	var p appender
	p.text("id", act.Person.ID("per"))
	p.text("name", act.Name)
	p.text("email", act.Email)
	a.raw("person", p.close())
	a.text("action", act.Action)
	target := ""
	for _, change := range act.Changes {
		if change.Object == d.Parent {
			target = targetID(change.Kind, change.Object)
		}
	}
	a.maybe("target", target)
	a.maybe("address", act.Address)
	a.maybe("request_id", act.RequestID)
	a.flag("livemode", d.Book.Live())
	if len(act.Request) > 0 {
		a.raw("request", act.Request)
	}
	a.key("changes")
	a.b = appendList(a.b, act.Changes, func(b []byte, change giro.Difference) []byte {
		one := appender{b: b}
		one.text("kind", change.Kind)
		one.maybe("id", targetID(change.Kind, change.Object))
		if len(change.Before) > 0 {
			one.raw("before", change.Before)
		}
		if len(change.After) > 0 {
			one.raw("after", change.After)
		}
		return one.close()
	})
	a.created(act.At)
	return a.close()
}

func targetID(kind string, id giro.UUID) string {
	if prefix := targetPrefixes[kind]; prefix != "" && !id.IsZero() {
		return id.ID(prefix)
	}
	return ""
}
