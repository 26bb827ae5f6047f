package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"giro"
	"giro/money"
)

// pairs is a JSON object whose members keep their order, so that the document
// is the same from every start.
type pairs []pair

type pair struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (p pairs) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range p {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, m.name), ':')
		var v bytes.Buffer
		e := json.NewEncoder(&v)
		e.SetEscapeHTML(false)
		if err := e.Encode(m.value); err != nil {
			return nil, err
		}
		b = append(b, bytes.TrimSpace(v.Bytes())...)
	}
	return append(b, '}'), nil
}

func (p *pairs) add(name string, value any) { *p = append(*p, pair{name, value}) }

func (p *pairs) addIf(name, value string) {
	if value != "" {
		p.add(name, value)
	}
}

// document3 collects the components while the routes are walked.
type document3 struct {
	schemas pairs
	seen    map[string]*schema
	open    bool // unknown members of bodies are ignored
}

// problemSchema describes v1's errors.
var problemSchema = &schema{kind: kindObject, name: "Problem", about: "A refusal (RFC 9457).", fields: []field{
	{name: "type", schema: text(1, 200), about: "The page of this code in the built-in docs.", example: "/docs/errors/insufficient_funds"},
	{name: "title", schema: text(1, 200), about: "What the code means; the same for every occurrence."},
	{name: "status", schema: &schema{kind: kindInteger, min: 400, max: 599}},
	{name: "detail", schema: text(0, 2000), about: "What is wrong with this request. Never holds the refused value."},
	{name: "code", schema: text(1, 64), about: "What programs branch on.", example: "insufficient_funds"},
	{name: "param", schema: text(1, 500), optional: true, about: "JSON pointer into the body, or the name of a parameter or header."},
	{name: "request_id", schema: text(36, 36), about: "The Request-Id of the answer."},
}}

// openAPI writes the OpenAPI 3.1 document of the routes.
func openAPI(table []*route) []byte {
	d := &document3{seen: map[string]*schema{}}
	problem := d.of(problemSchema, false)
	var paths pairs
	for _, r := range table {
		if r.tag == "docs" {
			continue
		}
		at := slices.IndexFunc(paths, func(p pair) bool { return p.name == r.path })
		if at < 0 {
			paths.add(r.path, &pairs{})
			at = len(paths) - 1
		}
		paths[at].value.(*pairs).add(strings.ToLower(r.method), d.operation(r, problem))
	}
	root := pairs{
		{"openapi", "3.1.0"},
		{"info", pairs{{"title", "giro"}, {"version", "1"},
			{"description", "A self-hosted payments platform: charges, refunds, payouts and transfers on a double-entry ledger."},
			{"license", pairs{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
		{"servers", []any{pairs{{"url", "/"}}}},
		{"paths", paths},
		{"components", pairs{
			{"schemas", d.schemas},
			{"securitySchemes", pairs{
				{"key", pairs{{"type", "http"}, {"scheme", "bearer"}, {"description", "An API key: sk_test_…, sk_live_…, pk_test_…, pk_live_…."}}},
				{"admin", pairs{{"type", "http"}, {"scheme", "bearer"}, {"description", "The installation's admin token."}}},
				{"session", pairs{{"type", "apiKey"}, {"in", "cookie"}, {"name", giro.SecureSessionCookie}, {"description", "A person's session (on loopback http the cookie is " + giro.SessionCookie + "). Giro-Merchant and Giro-Mode (test, live) say where it works; POST, PUT and DELETE are taken from pages of this host alone. x-permission is what the person's role needs."}}}}}}},
	}
	b, err := json.Marshal(root)
	if err != nil { // the tables hold strings, numbers and examples
		panic(err)
	}
	return b
}

func (d *document3) operation(r *route, problem any) pairs {
	var op pairs
	op.add("operationId", r.id)
	op.add("tags", []string{r.tag})
	op.add("summary", r.summary)
	op.addIf("description", r.about)
	params := d.parameters(r)
	if (r.method == http.MethodPost || r.method == http.MethodPut) && !r.noKey {
		params = append(params, pairs{{"name", "Idempotency-Key"}, {"in", "header"}, {"description", "A value of the caller's own per operation; the same request with the same key is answered once more, not done once more."},
			{"schema", pairs{{"type", "string"}, {"minLength", 1}, {"maxLength", idempotencyKeyMax}}}})
	}
	if len(params) > 0 {
		op.add("parameters", params)
	}
	shown := examples()[r.id]
	if r.body != nil {
		content := pairs{{"schema", d.of(r.body, true)}}
		if shown.Request != nil {
			content.add("example", shown.Request)
		}
		op.add("requestBody", pairs{{"required", !r.bare}, {"content", pairs{{"application/json", content}}}})
	}
	answer := pairs{{"description", "Success."}}
	switch {
	case r.answer != nil:
		content := pairs{{"schema", d.of(r.answer, false)}}
		if shown.Response != nil && shown.Status == r.status {
			content.add("example", shown.Response)
		}
		answer.add("content", pairs{{"application/json", content}})
	case r.media != "":
		answer.add("content", pairs{{r.media, pairs{{"schema", pairs{{"type", "string"}}}}}})
	}
	responses := pairs{{strconv.Itoa(r.status), answer}}
	for _, e := range r.responses() {
		responses.add(strconv.Itoa(e.status), pairs{{"description", e.text},
			{"content", pairs{{"application/problem+json", pairs{{"schema", problem}, {"example", e.example}}}}}})
	}
	responses.add("default", pairs{{"description", "Any other refusal; all codes stand at /docs/errors."}, {"content", pairs{{"application/problem+json", pairs{{"schema", problem}}}}}})
	op.add("responses", responses)
	op.add("x-access", r.access.String())
	switch r.access {
	case accessPublic:
		op.add("security", []any{})
	case accessAdmin:
		op.add("security", []any{pairs{{"admin", []any{}}}})
	case accessEither:
		op.add("security", []any{pairs{{"key", []any{}}}, pairs{{"admin", []any{}}}, pairs{{"session", []any{}}}})
	case accessSession:
		op.add("security", []any{pairs{{"session", []any{}}}})
	default:
		op.add("security", []any{pairs{{"key", []any{}}}, pairs{{"session", []any{}}}})
	}
	if r.policy() != "" && r.policy() != giro.MayNever {
		op.add("x-permission", string(r.policy()))
	}
	return op
}

// parameters are those of the path and of the query.
func (d *document3) parameters(r *route) (params []any) {
	for part := range strings.SplitSeq(r.path, "/") {
		if strings.HasPrefix(part, "{") {
			params = append(params, pairs{{"name", strings.Trim(part, "{}")}, {"in", "path"}, {"required", true}, {"schema", pairs{{"type", "string"}}}})
		}
	}
	for i := range r.params {
		params = append(params, r.params[i].openAPI()...)
	}
	return params
}

type errorResponse struct {
	status  int
	text    string
	example pairs
}

// responses groups the codes that a route can answer by status. What every
// route of its shape can answer is added to what the route names.
func (r *route) responses() []errorResponse {
	codes := slices.Clone(r.errors)
	if r.access != accessPublic {
		codes = append(codes, giro.CodeUnauthenticated, giro.CodeForbidden, giro.CodeRateLimited)
	}
	if len(r.params) > 0 {
		codes = append(codes, giro.CodeUnknownParameter)
	}
	if r.body != nil {
		codes = append(codes, giro.CodeInvalidJSON, giro.CodeUnsupportedMedia, giro.CodeBodyTooLarge, giro.CodeUnknownField)
	}
	if r.method != http.MethodGet {
		codes = append(codes, giro.CodeUnavailable)
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	var list []errorResponse
	for _, code := range codes {
		x := explanations[code]
		at := slices.IndexFunc(list, func(e errorResponse) bool { return e.status == x.status })
		if at >= 0 {
			list[at].text += ", " + string(code)
			continue
		}
		list = append(list, errorResponse{x.status, string(code), pairs{{"type", "/docs/errors/" + string(code)}, {"title", x.title}, {"status", x.status},
			{"detail", x.advice}, {"code", string(code)}, {"request_id", "01906a5b-7c3e-7d2a-9b1f-3c4d5e6f7a8b"}}})
	}
	slices.SortFunc(list, func(a, b errorResponse) int { return a.status - b.status })
	return list
}

// of returns the JSON Schema of s, or a reference to its component.
func (d *document3) of(s *schema, request bool) any {
	if s.name == "" {
		return d.inline(s, request)
	}
	if d.seen[s.name] == nil {
		d.seen[s.name] = s
		at := len(d.schemas)
		d.schemas.add(s.name, nil) // its place, before what it uses
		d.schemas[at].value = d.inline(s, request)
	} else if d.seen[s.name] != s {
		panic("api: two schemas are named " + s.name)
	}
	return pairs{{"$ref", "#/components/schemas/" + s.name}}
}

func (d *document3) inline(s *schema, request bool) pairs {
	var p pairs
	typed := func(t string) {
		if s.nullable {
			p.add("type", []string{t, "null"})
		} else {
			p.add("type", t)
		}
	}
	switch s.kind {
	case kindText, kindURL:
		typed("string")
		if s.min > 0 {
			p.add("minLength", s.min)
		}
		if s.max > 0 {
			p.add("maxLength", s.max)
		}
	case kindEnum:
		typed("string")
		if s.nullable {
			values := []any{}
			for _, e := range s.enum {
				values = append(values, e)
			}
			p.add("enum", append(values, nil))
		} else {
			p.add("enum", s.enum)
		}
	case kindID:
		typed("string")
		p.add("pattern", "^("+strings.Join(s.enum, "|")+")_[0-7][0-9a-hjkmnp-tv-z]{25}$")
	case kindEmail:
		typed("string")
		p.add("format", "email")
		p.add("maxLength", 254)
	case kindCountry:
		typed("string")
		p.add("pattern", "^[A-Za-z]{2}$")
	case kindCurrency:
		typed("string")
		p.add("pattern", "^[A-Za-z]{3}$")
	case kindAmount:
		typed("integer")
		p.add("format", "int64")
		if request {
			p.add("minimum", 1)
		} else {
			p.add("minimum", 0)
		}
		p.add("maximum", money.Max)
	case kindInteger:
		typed("integer")
		p.add("format", "int64")
		if s.min != 0 || s.max != 0 {
			p.add("minimum", s.min)
			p.add("maximum", s.max)
		}
	case kindFlag:
		typed("boolean")
	case kindTime:
		if request {
			p.add("oneOf", []any{pairs{{"type", "integer"}}, pairs{{"type", "string"}, {"format", "date-time"}}})
		} else {
			typed("string")
		}
	case kindMetadata:
		typed("object")
		p.add("maxProperties", metadataMax)
		p.add("propertyNames", pairs{{"maxLength", metadataKeyMax}})
		p.add("additionalProperties", pairs{{"type", "string"}, {"maxLength", metadataValueMax}})
	case kindObject:
		typed("object")
		var properties pairs
		var required []string
		for i := range s.fields {
			f := &s.fields[i]
			properties.add(f.name, d.field(f, request))
			if f.required || !request && !f.optional {
				required = append(required, f.name)
			}
		}
		p.add("properties", properties)
		if len(required) > 0 {
			p.add("required", required)
		}
		if request && !d.open {
			p.add("additionalProperties", false)
		}
	case kindList:
		typed("array")
		p.add("items", d.of(s.item, request))
		if request {
			p.add("minItems", s.min)
			p.add("maxItems", s.max)
		}
	case kindEither:
		p.add("oneOf", []any{d.of(s.options[0], request), d.of(s.options[1], request)})
	case kindAny:
	}
	p.addIf("description", s.about)
	if s.example != nil {
		p.add("examples", []any{s.example})
	}
	return p
}

// field adds to a field's schema what only this field says.
func (d *document3) field(f *field, request bool) any {
	v := d.of(f.schema, request)
	if f.about == "" && f.example == nil {
		return v
	}
	p := slices.Clone(v.(pairs)) // beside $ref too: OpenAPI 3.1 allows siblings
	if f.about != "" {
		p = slices.DeleteFunc(p, func(m pair) bool { return m.name == "description" })
		p.add("description", f.about)
	}
	if f.example != nil {
		p = slices.DeleteFunc(p, func(m pair) bool { return m.name == "examples" })
		p.add("examples", []any{f.example})
	}
	return p
}

func (p *param) openAPI() []any {
	one := func(name string, schema pairs) pairs {
		return pairs{{"name", name}, {"in", "query"}, {"description", p.about}, {"schema", schema}}
	}
	switch p.kind {
	case paramInteger:
		return []any{one(p.name, pairs{{"type", "integer"}, {"minimum", p.min}, {"maximum", p.max}})}
	case paramFlag:
		return []any{one(p.name, pairs{{"type", "boolean"}})}
	case paramList:
		items := pairs{{"type", "string"}}
		if len(p.enum) > 0 {
			items.add("enum", p.enum)
		}
		v := one(p.name, pairs{{"type", "array"}, {"items", items}, {"maxItems", p.max}})
		return []any{append(v, pair{"style", "form"}, pair{"explode", false})}
	case paramTimes, paramAmounts:
		var list []any
		for _, op := range rangeOps {
			list = append(list, one(p.name+"["+op+"]", pairs{{"type", "string"}}))
		}
		return list
	case paramMetadata:
		v := one(p.name, pairs{{"type", "object"}, {"additionalProperties", pairs{{"type", "string"}}}})
		return []any{append(v, pair{"style", "deepObject"}, pair{"explode", true})}
	}
	return []any{one(p.name, pairs{{"type", "string"}})}
}
