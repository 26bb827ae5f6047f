package api

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"strconv"
	"strings"

	"giro"
)

// docRoutes are the built-in pages and the OpenAPI document.
var docRoutes = []*route{
	{method: http.MethodGet, path: "/openapi.json", id: "openapi", tag: "docs", access: accessPublic, status: 200, media: "application/json",
		summary: "The OpenAPI 3.1 document of these routes", handler: func(c *call) error {
			c.sendJSON(http.StatusOK, c.s.openAPI)
			return nil
		}},
	{method: http.MethodGet, path: "/docs", id: "docs", tag: "docs", access: accessPublic, status: 200, media: "text/html",
		summary: "The routes, as a page", handler: func(c *call) error { return c.page(routesPage(c.s.table)) }},
	{method: http.MethodGet, path: "/docs/errors", id: "docsErrors", tag: "docs", access: accessPublic, status: 200, media: "text/html",
		summary: "All error codes, as a page", handler: func(c *call) error { return c.page(errorsPage()) }},
	{method: http.MethodGet, path: "/docs/errors/{code}", id: "docsError", tag: "docs", access: accessPublic, status: 200, media: "text/html",
		summary: "What an error code means and what to do, as a page", errors: []giro.Code{giro.CodeNotFound}, handler: func(c *call) error {
			code := giro.Code(c.path[0])
			if _, _, _, ok := Explain(code); !ok {
				return giro.Refuse(giro.CodeNotFound, "", "there is no such code; all of them stand at /docs/errors")
			}
			return c.page(errorPage(code))
		}},
}

// pagePolicy allows the pages' own style and nothing else.
var pagePolicy = func() []string {
	sum := sha256.Sum256([]byte(docStyle))
	return []string{"default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
}()

func (c *call) page(body []byte) error {
	c.w.Header()["Content-Security-Policy"] = pagePolicy
	c.send(http.StatusOK, valueHTML, body)
	return nil
}

// routesPage lists the routes by tag, with what each takes.
func routesPage(table []*route) []byte {
	var b strings.Builder
	b.WriteString(`<p>Requests carry <code>Authorization: Bearer &lt;key&gt;</code> and bodies of <code>application/json</code>. The same in machine-readable form: <a href="/openapi.json">openapi.json</a>. What can be refused: <a href="/docs/errors">errors</a>.</p>`)
	tag := ""
	for _, r := range table {
		if r.tag != tag {
			tag = r.tag
			b.WriteString(`<h2>` + html.EscapeString(tag) + `</h2>`)
		}
		b.WriteString(`<h3><code>` + r.method + ` ` + html.EscapeString(r.path) + `</code></h3><p>` + html.EscapeString(r.summary) + `.`)
		if r.about != "" {
			b.WriteString(` ` + html.EscapeString(r.about))
		}
		b.WriteString(`</p>`)
		var rows strings.Builder
		for _, p := range r.params {
			rows.WriteString(`<tr><th scope="row"><code>` + html.EscapeString(p.wireName()) + `</code></th><td>query</td><td>` + html.EscapeString(p.about) + `</td></tr>`)
		}
		if r.body != nil {
			for _, f := range r.body.fields {
				need := ""
				if f.required {
					need = "Required. "
				}
				rows.WriteString(`<tr><th scope="row"><code>` + html.EscapeString(f.name) + `</code></th><td>` + html.EscapeString(f.schema.phrase()) + `</td><td>` + need + html.EscapeString(f.about) + `</td></tr>`)
			}
		}
		if rows.Len() > 0 {
			b.WriteString(`<table><thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead><tbody>` + rows.String() + `</tbody></table>`)
		}
	}
	return page("API", b.String())
}

// phrase names a schema's type for people.
func (s *schema) phrase() string {
	switch s.kind {
	case kindText, kindURL:
		return "string, " + strconv.Itoa(s.min) + "–" + strconv.Itoa(s.max)
	case kindEnum:
		return strings.Join(s.enum, " | ")
	case kindID:
		return "id " + strings.Join(s.enum, "_, ") + "_"
	case kindEmail:
		return "e-mail address"
	case kindCountry:
		return "country, ISO 3166"
	case kindCurrency:
		return "currency, ISO 4217"
	case kindAmount:
		return "integer, minor units"
	case kindInteger:
		return "integer"
	case kindFlag:
		return "boolean"
	case kindTime:
		return "time"
	case kindMetadata:
		return "object of strings"
	case kindList:
		return "list of " + s.item.phrase()
	case kindEither:
		return s.options[0].phrase() + " or object"
	}
	return "object"
}

// wireName is the parameter as it is written in a URL.
func (p *param) wireName() string {
	switch p.kind {
	case paramTimes, paramAmounts:
		return p.name + "[gte|gt|lte|lt]"
	case paramMetadata:
		return p.name + "[key]"
	}
	return p.name
}
