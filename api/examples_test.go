package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"giro"
	"giro/api"
	"giro/internal/webscript"
)

var update = flag.Bool("update", false, "record the examples of the OpenAPI document again where they differ")

// exchange is one request of a script with its answer.
type exchange struct {
	Status   int             `json:"status"`
	Request  json.RawMessage `json:"request,omitempty"`
	Response json.RawMessage `json:"response,omitempty"`
}

// loadOpenAPI reads the document as its readers do, and validates it as OpenAPI
// 3.1: schemas by JSON Schema 2020-12, examples by their schemas.
func loadOpenAPI(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	examples := openapi3.EnableExamplesValidation()
	if *update { // they are about to be made
		examples = openapi3.DisableExamplesValidation()
	}
	if err := doc.Validate(t.Context(), examples); err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestOperations: nobody can add a route without its summary, schemas, errors,
// policy and example.
func TestOperations(t *testing.T) {
	t.Parallel()
	doc := loadOpenAPI(t)
	if doc.OpenAPI != "3.1.0" {
		t.Error(doc.OpenAPI)
	}
	seen := map[string]bool{}
	for _, o := range api.Operations() {
		item := doc.Paths.Value(o.Path)
		if item == nil {
			t.Errorf("%s %s is not in the document", o.Method, o.Path)
			continue
		}
		op := item.GetOperation(o.Method)
		if op == nil || op.OperationID != o.ID || seen[o.ID] {
			t.Errorf("%s %s: no operation of its own", o.Method, o.Path)
			continue
		}
		seen[o.ID] = true
		if op.Summary == "" || strings.HasSuffix(op.Summary, ".") || len(op.Tags) != 1 {
			t.Errorf("%s: summary %q, tags %v", o.ID, op.Summary, op.Tags)
		}
		if op.Security == nil || op.Extensions["x-access"] == "" || o.Access == "" {
			t.Errorf("%s does not say who may", o.ID)
		}
		if o.Method == "POST" || o.Method == "PUT" {
			if op.RequestBody == nil || op.RequestBody.Value.Content.Get("application/json").Schema == nil {
				t.Errorf("%s has no schema of its body", o.ID)
			}
		}
		success := op.Responses.Value(strconv.Itoa(o.Status))
		if success == nil || len(success.Value.Content) != 1 {
			t.Errorf("%s does not describe its success", o.ID)
			continue
		}
		refusals := 0
		for status, r := range op.Responses.Map() {
			if m := r.Value.Content.Get("application/problem+json"); m != nil {
				refusals++
				if m.Schema == nil || status != "default" && m.Example == nil {
					t.Errorf("%s: %s is not described", o.ID, status)
				}
			}
		}
		if refusals == 0 || o.Access != "anyone" && (op.Responses.Value("401") == nil || op.Responses.Value("429") == nil) {
			t.Errorf("%s does not describe its errors", o.ID)
		}
		content := success.Value.Content.Get("application/json")
		if content == nil || content.Schema == nil {
			if o.Answer {
				t.Errorf("%s has no schema of its answer", o.ID)
			}
		} else if content.Example == nil && o.ID != "returnCharge" { // which only refuses
			t.Errorf("%s: its example is missing; see TestExamples", o.ID)
		}
	}
}

var (
	wireID      = regexp.MustCompile(`\b([a-z]{2,4})_[0-7][0-9a-hjkmnp-tv-z]{25}\b`)
	wireSecret  = regexp.MustCompile(`"((?:sk|pk)_(?:test|live)_|whsec_|adm_)[^"…]{8,}"`)
	wireClient  = regexp.MustCompile(`"(client_id|client_secret|secret|token|hash|cursor)":\s*"[^"]*"`)
	wireLink    = regexp.MustCompile(`\?token=[0-9a-z]{40}`)
	wireMoments = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?`)
	wireSeconds = regexp.MustCompile(`"(created|expires_at|now|took_us|took_ms|webhook-timestamp)":\s*"?\d+"?`)
	wireUUID    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	wireDigits  = regexp.MustCompile(`"(bar_code|digitable_line|br_code|qr_svg|hint|secret_hint|end_to_end_id|authorizationCode|retrievalReferenceNumber|systemTraceAuditNumber|body|webhook-signature|error)":\s*"(?:[^"\\]|\\.)*"`)
)

// same is an exchange without what differs from run to run.
func same(b []byte) string {
	var v any
	if json.Unmarshal(b, &v) != nil {
		return string(b)
	}
	b, _ = json.Marshal(v)
	s := wireID.ReplaceAllString(string(b), "${1}_")
	s = wireSecret.ReplaceAllString(s, `"${1}…"`)
	s = wireClient.ReplaceAllString(s, `"$1":"…"`)
	s = wireLink.ReplaceAllString(s, "?token=…")
	s = wireMoments.ReplaceAllString(s, "T")
	s = wireSeconds.ReplaceAllString(s, `"$1":0`)
	s = wireDigits.ReplaceAllString(s, `"$1":""`)
	return wireUUID.ReplaceAllString(s, "U")
}

// shown is an answer as it may stand in the docs: secrets are made unreadable.
func shown(b []byte) json.RawMessage {
	if len(b) == 0 {
		return nil
	}
	b = wireSecret.ReplaceAll(b, []byte(`"${1}…"`))
	b = wireLink.ReplaceAll(b, []byte("?token=…"))
	b = regexp.MustCompile(`"(client_secret|secret)":\s*"[^"…]*"`).ReplaceAll(b, []byte(`"$1":"…"`))
	var out bytes.Buffer
	if json.Compact(&out, b) != nil {
		return nil
	}
	return out.Bytes()
}

// TestExamples runs the scripts of examples/, each on a store of its own, on both
// databases: every operation
// occurs in them, every request and answer has the form that the document says,
// and the examples that the document shows are these. A new operation: add a
// request of it to a script (its own file, if the feature is new), and run
//
//	go test ./api -run Examples -update
func TestExamples(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("examples/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	operations := map[string]api.Operation{}
	for _, o := range api.Operations() {
		operations[o.ID] = o
	}
	onBothKinds(t, func(t *testing.T, open func() (s giro.Store, folder string)) {
		doc := loadOpenAPI(t)
		covered := map[string]bool{"streamEvents": true} // TestStream reads it; it has no end
		for _, name := range scripts {
			if _, err := os.Stat(strings.TrimSuffix(name, ".txt") + ".json"); err != nil && !*update {
				t.Errorf("%s was never recorded: %v", name, err)
			}
		}
		for _, name := range scripts {
			s, folder := open()
			h := prepare(t, s, folder)
			h.inviteOwner(t)
			script, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			recorded := map[string]exchange{}
			r := webscript.Server("http://" + h.address)
			maps.Copy(r.Vars, h.vars)
			r.Do = func(req *http.Request) (*http.Response, error) {
				var sent []byte
				if req.Body != nil {
					sent, _ = io.ReadAll(req.Body)
					req.Body = io.NopCloser(bytes.NewReader(sent))
				}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					return nil, err
				}
				answer, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				resp.Body = io.NopCloser(bytes.NewReader(answer))
				if err != nil {
					return nil, err
				}
				id := h.server.OperationOf(req.Method, req.URL.EscapedPath())
				o, ok := operations[id]
				if !ok {
					t.Errorf("%s %s is no operation", req.Method, req.URL)
					return resp, nil
				}
				op := doc.Paths.Value(o.Path).GetOperation(o.Method)
				if resp.StatusCode < 400 {
					conform(t, id+": request", op.RequestBody, sent)
				}
				conformAnswer(t, id, op, resp, answer)
				if resp.StatusCode == o.Status {
					covered[id] = true
				} else if id != "returnCharge" && id != "railNotification" { // which a script cannot make succeed
					return resp, nil
				}
				covered[id] = true
				if old, done := recorded[id]; done && (old.Request != nil || sent == nil || !o.Body) {
					return resp, nil
				}
				e := exchange{Status: resp.StatusCode, Request: shown(sent)}
				if o.Answer {
					e.Response = shown(answer)
				}
				recorded[id] = e
				return resp, nil
			}
			if err := r.Run(name, string(script)); err != nil {
				t.Error(err)
			}
			compareExamples(t, strings.TrimSuffix(name, ".txt")+".json", recorded)
			h.verified(t)
		}
		for id := range operations {
			if !covered[id] {
				t.Errorf("%s is in no script of examples/: add a request of it", id)
			}
		}
	})
}

// conform holds a request's body to its schema.
func conform(t *testing.T, what string, body *openapi3.RequestBodyRef, sent []byte) {
	t.Helper()
	if len(sent) == 0 || body == nil {
		return
	}
	conformValue(t, what, body.Value.Content.Get("application/json").Schema, sent)
}

func conformAnswer(t *testing.T, id string, op *openapi3.Operation, resp *http.Response, answer []byte) {
	t.Helper()
	r := op.Responses.Value(strconv.Itoa(resp.StatusCode))
	if r == nil && resp.StatusCode >= 400 {
		r = op.Responses.Value("default")
	}
	if r == nil && resp.StatusCode == 200 && op.Responses.Value("201") != nil {
		r = op.Responses.Value("201") // a repeated reference
	}
	if r == nil {
		t.Errorf("%s: status %d is not described", id, resp.StatusCode)
		return
	}
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	content := r.Value.Content.Get(media)
	if content == nil {
		t.Errorf("%s: %s is not described for %d", id, media, resp.StatusCode)
		return
	}
	if strings.HasSuffix(media, "json") {
		conformValue(t, id+": answer "+resp.Status, content.Schema, answer)
	}
}

func conformValue(t *testing.T, what string, schema *openapi3.SchemaRef, b []byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if err := schema.Value.VisitJSON(v, openapi3.EnableJSONSchema2020()); err != nil {
		t.Errorf("%s: %.600s", what, err)
	}
}

// compareExamples holds what a script did to what the document shows of it; with
// -update it is written where it differs.
func compareExamples(t *testing.T, file string, recorded map[string]exchange) {
	t.Helper()
	kept := map[string]exchange{}
	if b, err := os.ReadFile(file); err == nil {
		if err := json.Unmarshal(b, &kept); err != nil {
			t.Fatal(file, err)
		}
	}
	changed := false
	for id, e := range recorded {
		old, ok := kept[id]
		if ok && old.Status == e.Status && same(old.Request) == same(e.Request) && same(old.Response) == same(e.Response) {
			continue
		}
		changed = true
		kept[id] = e
		if !*update {
			t.Errorf("%s: %s is shown otherwise than it is; go test ./api -run Examples -update\nshown %.400s %.800s\nis    %.400s %.800s", file, id, same(old.Request), same(old.Response), same(e.Request), same(e.Response))
		}
	}
	for id := range kept {
		if _, ok := recorded[id]; !ok {
			changed = true
			delete(kept, id)
			if !*update {
				t.Errorf("%s: %s is shown and in no script", file, id)
			}
		}
	}
	if !*update || !changed {
		return
	}
	// One operation on a line, so that branches do not meet.
	var out strings.Builder
	out.WriteString("{\n")
	for i, id := range slices.Sorted(maps.Keys(kept)) {
		if i > 0 {
			out.WriteString(",\n")
		}
		b, err := json.Marshal(kept[id])
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(strconv.Quote(id) + ": " + string(b))
	}
	out.WriteString("\n}\n")
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// inviteOwner signs an owner in ({{session}}) and leaves a link for another
// person ({{link}}).
func (h *hostile) inviteOwner(t *testing.T) {
	t.Helper()
	id, _ := giro.ParseID("mer", h.vars["merchant"])
	m, err := h.engine.MerchantByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	invite := func(email string, duty giro.Duty) string {
		made, err := h.engine.Invite(t.Context(), nil, giro.Invitation{Purpose: giro.InviteJoin, Merchant: m.ID, Number: m.Number, Email: email, Duty: duty})
		if err != nil {
			t.Fatal(err)
		}
		return made.Token
	}
	p, err := h.engine.Accept(t.Context(), giro.Acceptance{Token: invite("ana@example.com", giro.DutyOwner), Name: "Ana", Password: "correct horse battery"}, giro.From{Address: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, h.vars["session"], err = h.engine.Begin(t.Context(), p, giro.From{Address: "127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	h.vars["link"] = invite("bia@example.com", giro.DutyMaker)
}
