package api

import (
	"encoding/json"
	"net/http"
	"slices"

	"giro"
)

// view is a saved list: its page, its filters and its columns.
type view struct {
	Name    string    `json:"name"`
	Page    string    `json:"page"`
	Query   string    `json:"query"`
	Columns []string  `json:"columns,omitempty"`
	Shared  bool      `json:"shared"`
	Person  giro.UUID `json:"person,omitzero"` // who saved it; zero: a key did
	By      string    `json:"by,omitempty"`
}

// viewsMax bounds the views of a merchant.
const viewsMax = 500

var (
	viewReadOnly = []string{"id", "object", "saved_by", "mine", "created", "created_at", "updated_at", "version"}
	viewAnswer   = &schema{kind: kindObject, name: "View", fields: []field{
		{name: "id", schema: idOf("view")}, {name: "object", schema: oneOf("view")}, {name: "name", schema: plainText}, {name: "page", schema: plainText}, {name: "query", schema: plainText},
		{name: "columns", schema: &schema{kind: kindList, item: plainText}}, {name: "shared", schema: flagSchema}, {name: "saved_by", schema: null(plainText)}, {name: "mine", schema: flagSchema},
		{name: "created", schema: plainInteger}, {name: "created_at", schema: answerTime}, {name: "updated_at", schema: answerTime}, {name: "version", schema: plainInteger},
	}}
	viewFields = func(required bool) []field {
		return []field{
			{name: "name", schema: text(1, 80), required: required}, {name: "page", schema: text(1, 40), required: required, example: "payments"},
			{name: "query", schema: text(0, 2000), about: "The list's query string.", example: "status=failed&currency=brl"},
			{name: "columns", schema: listOf(text(1, 64), 0, 40)}, {name: "shared", schema: flagSchema, about: "With the team; true if it is not sent."},
		}
	}
	viewCreate = &schema{kind: kindObject, name: "ViewCreate", readOnly: viewReadOnly, fields: viewFields(true)}
	viewUpdate = &schema{kind: kindObject, name: "ViewUpdate", readOnly: viewReadOnly, fields: viewFields(false)}
)

var viewRoutes = []*route{
	{method: "GET", path: "/v1/views", id: "listViews", tag: "views", summary: "Saved views of lists: the team's and one's own", access: accessSecret, status: 200, answer: &schema{kind: kindList, item: viewAnswer},
		params: []param{{name: "page", kind: paramText, max: 40, about: "Only those of this page."}}, about: "The oldest first, in both modes the same. A key sees those that are shared.",
		handler: func(c *call) error {
			docs, err := c.views()
			if err != nil {
				return err
			}
			var list []json.RawMessage
			for _, d := range docs {
				var v view
				if err := json.Unmarshal(d.Data, &v); err != nil {
					return err
				}
				if page := c.query.text("page"); (page == "" || v.Page == page) && (v.Shared || c.mine(&v)) {
					list = append(list, appendView(nil, d, &v, c.mine(&v)))
				}
			}
			return sendList(c, list, func(b []byte, one json.RawMessage) []byte { return append(b, one...) })
		}},
	{method: "POST", path: "/v1/views", id: "createView", tag: "views", summary: "Save a view", access: accessSecret, body: viewCreate, status: 201, answer: viewAnswer, errors: []giro.Code{giro.CodeConflict},
		handler: func(c *call) error {
			return c.keepView(http.StatusCreated, func() (*giro.StoredDocument, *view, error) {
				docs, err := c.views()
				if err != nil {
					return nil, nil, err
				}
				if len(docs) >= viewsMax {
					return nil, nil, giro.Refuse(giro.CodeConflict, "", "there are too many views; delete some")
				}
				v := &view{Shared: true}
				if c.caller.In != nil {
					v.Person, v.By = c.caller.In.Person.ID, c.caller.In.Person.Name
				}
				now := giro.Micros(c.at)
				return &giro.StoredDocument{Kind: giro.DocView, ID: c.s.config.NewID(c.at), Book: c.viewBook(), Created: now, Updated: now}, v, nil
			})
		}},
	{method: "PUT", path: "/v1/views/{id}", id: "updateView", tag: "views", summary: "Change a view", access: accessSecret, body: viewUpdate, status: 200, answer: viewAnswer,
		about: "One's own; owners and admins change every shared one.", errors: []giro.Code{giro.CodeNotFound, giro.CodeNothingToUpdate, giro.CodePreconditionFailed}, handler: func(c *call) error {
			version, err := ifMatch(c.r.Header)
			if err != nil {
				return err
			}
			if c.doc.nodes[0].count == 0 {
				return giro.Refuse(giro.CodeNothingToUpdate, "", "send at least one field")
			}
			return c.keepView(http.StatusOK, func() (*giro.StoredDocument, *view, error) {
				d, v, err := c.view()
				if err == nil && version > 0 && version != d.Version {
					err = giro.Refuse(giro.CodePreconditionFailed, "If-Match", "the object has changed since it was read")
				}
				return d, v, err
			})
		}},
	{method: "DELETE", path: "/v1/views/{id}", id: "deleteView", tag: "views", summary: "Delete a view", access: accessSecret, status: 200, answer: messageAnswer, errors: []giro.Code{giro.CodeNotFound}, handler: func(c *call) error {
		d, _, err := c.view()
		if err != nil {
			return err
		}
		if err := c.engine().DeleteDocument(c.ctx, c.viewCall(), giro.DocView, d.ID); err != nil {
			return err
		}
		return c.deleted("view")
	}},
}

// viewBook holds the views of both modes.
func (c *call) viewBook() giro.Book { return giro.BookOf(c.caller.Merchant.Number, false) }

func (c *call) viewCall() *giro.Call {
	g := c.giroCall(nil)
	g.Live = false
	return g
}

func (c *call) views() ([]*giro.StoredDocument, error) {
	return c.engine().Store.Documents(c.ctx, giro.DocumentQuery{Kind: giro.DocView, Book: c.viewBook(), Ascending: true, Limit: viewsMax})
}

func (c *call) mine(v *view) bool {
	return c.caller.In != nil && v.Person == c.caller.In.Person.ID
}

// view reads the view in the path, which the caller may change.
func (c *call) view() (*giro.StoredDocument, *view, error) {
	id, err := c.pathID("view", "view")
	if err != nil {
		return nil, nil, err
	}
	d, err := c.engine().Store.Document(c.ctx, giro.DocView, id)
	if err != nil {
		return nil, nil, err
	}
	v := &view{}
	if d == nil || d.Book != c.viewBook() {
		return nil, nil, missing("view")
	}
	if err := json.Unmarshal(d.Data, v); err != nil {
		return nil, nil, err
	}
	switch {
	case c.mine(v):
	case !v.Shared:
		return nil, nil, missing("view")
	case c.caller.In != nil && !c.caller.Duty.May(giro.MaySetUp, c.caller.Live):
		return nil, nil, giro.Refuse(giro.CodeForbidden, "role", "this view is somebody else's; owners and admins change it")
	}
	return d, v, nil
}

func (c *call) setView(v *view) {
	if c.body.has("name") {
		v.Name = c.body.text("name")
	}
	if c.body.has("page") {
		v.Page = c.body.text("page")
	}
	if c.body.has("query") {
		v.Query = c.body.text("query")
	}
	if c.body.has("columns") {
		v.Columns = slices.Clone(c.body.texts("columns"))
	}
	v.Shared = c.body.flag("shared", v.Shared)
}

// keepView stores what the body makes of a view, a new one or the present one.
func (c *call) keepView(status int, read func() (*giro.StoredDocument, *view, error)) error {
	var v *view
	mine := false
	return c.command(func(kept any) giro.Answer {
		return giro.Answer{Status: status, Body: appendView(nil, kept.(*giro.StoredDocument), v, mine)}
	}, func(g *giro.Call) (any, error) {
		c.ofMode(g, false)
		d, present, err := read()
		if err != nil {
			return nil, err
		}
		v, mine = present, c.mine(present)
		c.setView(v)
		if !v.Shared && v.Person.IsZero() {
			return nil, giro.Refuse(giro.CodeInvalidValue, "/shared", "a key saved this view, not a person: it is shared, or nobody would see it")
		}
		if d.Data, err = json.Marshal(v); err != nil {
			return nil, err
		}
		return c.engine().Put(c.ctx, g, giro.Refuse(giro.CodeConflict, "", "the view exists"), d)
	})
}

func appendView(b []byte, d *giro.StoredDocument, v *view, mine bool) []byte {
	a := appender{b: b}
	a.text("id", d.ID.ID("view"))
	a.text("object", "view")
	a.text("name", v.Name)
	a.text("page", v.Page)
	a.text("query", v.Query)
	a.texts("columns", v.Columns)
	a.flag("shared", v.Shared)
	a.maybe("saved_by", v.By)
	a.flag("mine", mine)
	a.times(d.Created, d.Updated)
	a.number("version", d.Version)
	return a.close()
}
