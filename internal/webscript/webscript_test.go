package webscript

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// echo answers with what it was sent.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	if len(b) == 0 {
		b = []byte(`{"code":"nothing","list":[1,{"a":null}],"type":"` + r.Header.Get("Content-Type") + `","path":"` + r.URL.Path + `"}`)
	}
	w.Header().Set("X-Method", r.Method)
	w.WriteHeader(202)
	w.Write(b)
})

func TestRun(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(echo)
	t.Cleanup(server.Close)
	const good = `
# A step with a body.
POST /things
{"id": "x1",

 "amount": 10000000000000001}
> status 202
> header X-Method == POST
> json /amount == 10000000000000001
> json /id ~ ^x
> subset {"id": "x1"}
> save id /id
GET /things/{{id}}
> json /path == "/things/x1"
> json /type == ""
> code nothing
> has /list/1/a
> lacks /list/2
> json /list/- == {"a": null}
`
	for _, r := range []*Runner{Handler(echo), Server(server.URL)} {
		if err := r.Run("good", good); err != nil {
			t.Error(err)
		}
	}
	for script, want := range map[string]string{
		"GET /\n> status 200":             "1:the status is 202",
		"GET /\n> code other":             "the code is nothing",
		"GET /\n> has /nothing":           "it does not",
		"GET /\n> lacks /code":            "it does not",
		"GET /\n> json /code == 1":        `it is "nothing"`,
		"GET /\n> json /code ~ ^x":        `it is "nothing"`,
		"GET /\n> json /other == 1":       "there is no /other",
		"GET /\n> subset {\"list\": [1]}": "/list is",
		"GET /\n> subset {\"x\": 1}":      "there is no /x",
		"GET /\n> header X-Method == PUT": `it is "GET"`,
		"GET /\n> wants 1":                "unknown expectation",
		"GET /{{x}}\n> status 202":        "{{x}} is not set",
		"GET /":                           "without expectations",
		"> status 200":                    "before any request",
		"/\n> status 200":                 "is not METHOD",
	} {
		err := Handler(echo).Run("bad", script)
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "2: status 200: ", "1:"), want) {
			t.Errorf("%q: got %v, want %s", script, err, want)
		}
	}
}
