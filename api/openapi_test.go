package api

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"giro"
)

// raw sends bytes over a connection and returns the first answer.
func raw(t *testing.T, address, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	go io.WriteString(conn, request) // the server may answer before all was sent
	b := make([]byte, 64<<10)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// TestEveryCodeIsExplained reads the closed list out of the source, so that a
// code without a status, a title and a page is noticed.
func TestEveryCodeIsExplained(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), "../error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[giro.Code]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 || !strings.HasPrefix(v.Names[0].Name, "Code") {
			return true
		}
		code, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		listed[giro.Code(code)] = true
		return true
	})
	if len(listed) < 90 {
		t.Fatalf("only %d codes were found", len(listed))
	}
	for code := range listed {
		x, ok := explanations[code]
		if !ok || x.status < 400 || x.title == "" || x.advice == "" || strings.HasSuffix(x.title, ".") || !strings.HasSuffix(x.advice, ".") {
			t.Errorf("%s is not explained: %+v", code, x)
		}
		e := giro.Error{Code: code, Message: "m"}
		var p problem
		if err := json.Unmarshal(appendProblem(nil, &e, "r"), &p); err != nil || p.Code != string(code) || p.Status != x.status || http.StatusText(p.Status) == "" {
			t.Errorf("%s renders as %+v, %v", code, p, err)
		}
		if !bytes.Contains(errorPage(code), []byte("<h1>"+string(code)+"</h1>")) {
			t.Errorf("%s has no page", code)
		}
	}
	for code := range explanations {
		if !listed[code] {
			t.Errorf("%s is explained and does not exist", code)
		}
	}
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	s, _ := testServer(t, nil)
	w := do(s, "GET", "/openapi.json", "-Authorization", "")
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc["openapi"] != "3.1.0" {
		t.Errorf("openapi %v", doc["openapi"])
	}
	again, _ := testServer(t, nil)
	if !bytes.Equal(s.openAPI, again.openAPI) {
		t.Error("two documents of the same routes differ")
	}
	// Every reference leads somewhere, and every operation has an id of its own.
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				if schemas[strings.TrimPrefix(ref, "#/components/schemas/")] == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, m := range v {
				walk(m)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(doc)
	ids := map[string]bool{}
	for path, item := range doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			id, _ := op.(map[string]any)["operationId"].(string)
			if id == "" || ids[id] {
				t.Errorf("%s %s: operationId %q", method, path, id)
			}
			ids[id] = true
		}
	}
	create := schemas["ChargeCreate"].(map[string]any)
	if create["additionalProperties"] != false || create["properties"].(map[string]any)["amount"] == nil {
		t.Errorf("ChargeCreate: %v", create)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s, _ := testServer(t, nil)
	for path, want := range map[string]string{
		"/docs":                           "POST /v1/charges",
		"/docs/errors":                    `href="/docs/errors/insufficient_funds"`,
		"/docs/errors/insufficient_funds": "Status <strong>409</strong>",
	} {
		w := do(s, "GET", path, "-Authorization", "")
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "style-src 'sha256-") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: %s", path, csp)
		}
		if b := w.Body.String(); strings.Contains(b, "http://") || strings.Contains(b, "https://") || strings.Contains(b, "<script") {
			t.Errorf("%s asks for something outside", path)
		}
	}
	if w := do(s, "GET", "/docs/errors/nothing", "-Authorization", ""); w.Code != 404 {
		t.Errorf("%d", w.Code)
	}
}

// The document printed without a server is the one that a server answers.
func TestOpenAPIWithoutServer(t *testing.T) {
	t.Parallel()
	var d struct {
		Paths map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(OpenAPI(), &d); err != nil {
		t.Fatal(err)
	}
	for _, r := range routes() {
		if r.tag != "docs" && d.Paths[r.path] == nil {
			t.Errorf("%s is missing", r.path)
		}
	}
}
