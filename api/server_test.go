package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"giro"
)

// testServer is a server of a few routes that answer what they understood.
func testServer(t testing.TB, change func(*Config)) (*Server, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	var mu sync.Mutex
	merchant := &giro.Merchant{ID: giro.UUID{6: 0x70, 8: 0x80, 15: 1}, Number: 1}
	config := Config{
		Now: time.Now, NewID: giro.UUIDs(), Secret: bytes.Repeat([]byte{7}, 32),
		Log: slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil)),
		Authenticate: func(_ context.Context, token string) (*Caller, error) {
			key := giro.UUID{15: byte(len(token))}
			switch token {
			case "sk_test_1":
				return &Caller{Merchant: merchant, Key: key}, nil
			case "sk_live_1":
				return &Caller{Merchant: merchant, Live: true, Key: key}, nil
			case "pk_test_1":
				return &Caller{Merchant: merchant, Key: key, Publishable: true}, nil
			case "sk_test_reader":
				return &Caller{Merchant: merchant, Key: key, Scopes: []string{"charges:read"}}, nil
			case "admin":
				return &Caller{Admin: true}, nil
			case "sk_test_old":
				return nil, giro.Refuse(giro.CodeKeyRevoked, "Authorization", "the key was revoked")
			}
			return nil, giro.Refuse(giro.CodeUnauthenticated, "Authorization", "the key is not known")
		},
	}
	if change != nil {
		change(&config)
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	echo := func(c *call) error {
		b := append(c.buffer[:0], `{"path":[`...)
		for i, v := range c.path {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, v)
		}
		b = appendString(append(b, `],"key":`...), c.key)
		b = append(b, `,"body":`...)
		if c.route.body != nil {
			b = c.doc.appendCanonical(b, 0)
		} else {
			b = append(b, "null"...)
		}
		c.buffer = append(b, '}')
		c.sendJSON(c.route.status, c.buffer)
		return nil
	}
	err = s.setRoutes(append([]*route{
		{method: "POST", path: "/v1/charges", aliases: []string{"/charges"}, id: "createCharge", tag: "charges", access: accessPublishable, body: chargeCreateSchema, status: 201, answer: movementAnswers[giro.KindCharge], handler: echo},
		{method: "GET", path: "/v1/charges", aliases: []string{"/charges"}, id: "listCharges", tag: "charges", access: accessPublishable, status: 200,
			params: []param{limitParam, pageParam, perPageParam, cursorParam, createdParam, amountParam, metaParam, {name: "status", kind: paramList, max: 7, enum: statusNames()}, {name: "currency", kind: paramCurrency}}, handler: echo},
		{method: "GET", path: "/v1/charges/{id}", aliases: []string{"/charges/{id}"}, id: "getCharge", tag: "charges", access: accessPublishable, status: 200, handler: echo},
		{method: "PUT", path: "/v1/charges/{id}", aliases: []string{"/charges/{id}"}, id: "updateCharge", tag: "charges", access: accessSecret, body: movementUpdateSchema, status: 200, handler: echo},
		{method: "POST", path: "/v1/charges/{id}/cancel", id: "cancelCharge", tag: "charges", access: accessSecret, body: emptySchema, bare: true, status: 200, handler: echo},
		{method: "POST", path: "/v1/payouts", id: "createPayout", tag: "payouts", access: accessSecret, body: payoutCreateSchema, status: 201, handler: echo},
		{method: "POST", path: "/v1/refunds", id: "createRefund", tag: "refunds", access: accessSecret, body: refundCreateSchema, status: 201, handler: echo},
		{method: "POST", path: "/v1/transfers", id: "createTransfer", tag: "transfers", access: accessSecret, body: transferCreateSchema, status: 201, handler: echo},
		{method: "POST", path: "/v1/test/fund", id: "fund", tag: "test", access: accessTest, body: emptySchema, bare: true, status: 200, handler: echo},
		{method: "POST", path: "/v1/merchants", id: "createMerchant", tag: "merchants", access: accessAdmin, body: emptySchema, bare: true, status: 201, handler: echo},
		{method: "GET", path: "/v1/panic", id: "panic", tag: "charges", access: accessPublic, status: 200, handler: func(*call) error { panic("a secret") }},
	}, docRoutes...))
	if err != nil {
		t.Fatal(err)
	}
	return s, &log
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

const goodCharge = `{"amount":1000,"currency":"usd","provider":"card","card":{"token":"card_token"}}`

// with returns goodCharge with members replaced or added; an empty value takes
// a member away.
func with(members ...string) string {
	parts := []string{}
	base := [][2]string{{"amount", "1000"}, {"currency", `"usd"`}, {"provider", `"card"`}, {"card", `{"token":"card_token"}`}}
	for i := 0; i < len(members); i += 2 {
		found := false
		for j := range base {
			if base[j][0] == members[i] {
				base[j][1], found = members[i+1], true
			}
		}
		if !found {
			base = append(base, [2]string{members[i], members[i+1]})
		}
	}
	for _, m := range base {
		if m[1] != "" {
			parts = append(parts, `"`+m[0]+`":`+m[1])
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

type problem struct {
	Type, Title, Detail, Code, Param string
	Status                           int
	RequestID                        string `json:"request_id"`
}

func TestRows(t *testing.T) {
	t.Parallel()
	s, _ := testServer(t, nil)
	// A number that has the form and check digit of a card number.
	const pan = "4242424242424242"
	rows := []struct {
		row    string // of semantics §5
		method string
		url    string
		header string // "Name: value", several separated by \n; "-Name" takes one away
		body   string
		status int
		code   giro.Code
		param  string
	}{
		{"base", "POST", "/charges", "", goodCharge, 201, "", ""},
		{"base v1", "POST", "/v1/charges", "", goodCharge, 201, "", ""},
		{"1", "POST", "/charges", "", "", 400, giro.CodeBodyRequired, ""},
		{"3", "POST", "/charges", "", "[]", 400, giro.CodeBodyNotObject, ""},
		{"14", "POST", "/charges", "", with("amount", "", "Amount", "1000"), 422, giro.CodeUnknownField, "/Amount"},
		{"15", "POST", "/charges", "", with("AMOUNT", "1"), 422, giro.CodeUnknownField, "/AMOUNT"},
		{"25", "POST", "/charges", "", with("foo", "1"), 422, giro.CodeUnknownField, "/foo"},
		{"26", "POST", "/charges", "", with("metadata", `{"__proto__":"x","constructor":"y"}`), 201, "", ""},
		{"27", "POST", "/charges", "", strings.Repeat(" ", 1<<20+1), 413, giro.CodeBodyTooLarge, ""},
		{"30", "POST", "/charges", "Content-Encoding: gzip", goodCharge, 415, giro.CodeUnsupportedCoding, "Content-Encoding"},
		{"31", "POST", "/charges", "", with("amount", ""), 422, giro.CodeMissingField, "/amount"},
		{"32", "POST", "/charges", "", with("amount", "null"), 422, giro.CodeInvalidType, "/amount"},
		{"33", "POST", "/charges", "", with("amount", "0"), 422, giro.CodeAmountTooSmall, "/amount"},
		{"34", "POST", "/charges", "", with("amount", "-1"), 422, giro.CodeAmountTooSmall, "/amount"},
		{"35", "POST", "/charges", "", with("amount", "-0"), 422, giro.CodeAmountTooSmall, "/amount"},
		{"36", "POST", "/charges", "", with("amount", "10.5"), 422, giro.CodeAmountNotInteger, "/amount"},
		{"37", "POST", "/charges", "", with("amount", "10.0"), 422, giro.CodeAmountNotInteger, "/amount"},
		{"38", "POST", "/charges", "", with("amount", "1e3"), 422, giro.CodeAmountNotInteger, "/amount"},
		{"39", "POST", "/charges", "", with("amount", "1e400"), 422, giro.CodeAmountTooLarge, "/amount"},
		{"39 fraction", "POST", "/charges", "", with("amount", "1e-400"), 422, giro.CodeAmountNotInteger, "/amount"},
		{"40", "POST", "/charges", "", with("amount", "9007199254740993"), 422, giro.CodeAmountTooLarge, "/amount"},
		{"40 most", "POST", "/charges", "", with("amount", "99999999999999"), 201, "", ""},
		{"40 more", "POST", "/charges", "", with("amount", "100000000000000"), 422, giro.CodeAmountTooLarge, "/amount"},
		{"41", "POST", "/charges", "", with("amount", "9223372036854775808"), 422, giro.CodeAmountTooLarge, "/amount"},
		{"42", "POST", "/charges", "", with("amount", strings.Repeat("9", 400)), 422, giro.CodeAmountTooLarge, "/amount"},
		{"43", "POST", "/charges", "", with("amount", `"1000"`), 422, giro.CodeInvalidType, "/amount"},
		{"44", "POST", "/charges", "", with("amount", "true"), 422, giro.CodeInvalidType, "/amount"},
		{"45", "POST", "/charges", "", with("amount", "[1000]"), 422, giro.CodeInvalidType, "/amount"},
		{"53", "POST", "/charges", "", with("currency", ""), 422, giro.CodeMissingField, "/currency"},
		{"54", "POST", "/charges", "", with("currency", `"xyz"`), 422, giro.CodeCurrencyUnknown, "/currency"},
		{"55", "POST", "/charges", "", with("currency", `"us"`), 422, giro.CodeCurrencyUnknown, "/currency"},
		{"56", "POST", "/charges", "", with("currency", `"USD"`), 201, "", ""},
		{"57", "POST", "/charges", "", with("currency", `"uѕd"`), 422, giro.CodeCurrencyUnknown, "/currency"},
		{"60", "POST", "/charges", "", with("currency", `"COL"`), 422, giro.CodeCurrencyUnknown, "/currency"},
		{"62", "GET", "/charges/" + strings.Repeat("a", 10_000), "", "", 200, "", ""}, // the echo answers; the object would not be found
		{"63", "GET", "/charges/../payouts", "", "", 404, giro.CodeRouteUnknown, ""},
		{"63 escaped", "GET", "/charges/%2e%2e%2f", "", "", 200, "", ""}, // one value, "../": no other resource
		{"64", "GET", "/charges/%00", "", "", 400, giro.CodeInvalidID, "path"},
		{"67", "POST", "/charges", "", with("description", `"'; DROP TABLE charges;--"`), 201, "", ""},
		{"71", "POST", "/charges", "", with("description", `"a\r\nb"`), 201, "", ""},
		{"72", "POST", "/charges", "X-Request-Id: a\r\tb", goodCharge, 400, giro.CodeInvalidHeader, "X-Request-Id"},
		{"72 key", "POST", "/charges", "Idempotency-Key: a\rb", goodCharge, 400, giro.CodeKeyMalformed, "Idempotency-Key"},
		{"73", "POST", "/charges", "", with("description", `"`+strings.Repeat("\u202e", 500)+`"`), 201, "", ""},
		{"75", "POST", "/charges", "", with("description", `"`+strings.Repeat("é", 501)+`"`), 422, giro.CodeTooLong, "/description"},
		{"76", "POST", "/charges", "", with("metadata", manyKeys(51)), 422, giro.CodeMetadataTooMany, "/metadata"},
		{"76 most", "POST", "/charges", "", with("metadata", manyKeys(50)), 201, "", ""},
		{"77", "POST", "/charges", "", with("metadata", `{"`+strings.Repeat("k", 41)+`":"v"}`), 422, giro.CodeTooLong, "/metadata/" + strings.Repeat("k", 41)},
		{"77 value", "POST", "/charges", "", with("metadata", `{"k":"`+strings.Repeat("v", 501)+`"}`), 422, giro.CodeTooLong, "/metadata/k"},
		{"78", "POST", "/charges", "", with("metadata", `{"k":{"a":"b"}}`), 422, giro.CodeMetadataNotFlat, "/metadata/k"},
		{"79", "POST", "/charges", "", with("metadata", `{"k":1}`), 422, giro.CodeInvalidType, "/metadata/k"},
		{"80", "POST", "/charges", "", with("reference", `""`), 422, giro.CodeInvalidLength, "/reference"},
		{"80 long", "POST", "/charges", "", with("reference", `"`+strings.Repeat("r", 256)+`"`), 422, giro.CodeInvalidLength, "/reference"},
		{"83", "POST", "/charges", "", with("provider", `"unknown"`), 422, giro.CodeProviderUnknown, "/provider"},
		{"85", "POST", "/charges", "", with("card", `{"token":""}`), 422, giro.CodeInvalidLength, "/card/token"},
		{"87", "POST", "/charges", "", with("status", `"succeeded"`), 422, giro.CodeReadOnlyField, "/status"},
		{"87 id", "POST", "/charges", "", with("merchant_id", `"x"`), 422, giro.CodeReadOnlyField, "/merchant_id"},
		{"88", "PUT", "/charges/x", "", `{"merchant_id":"x"}`, 422, giro.CodeReadOnlyField, "/merchant_id"},
		{"91", "PUT", "/charges/x", "", `{"status":"foo"}`, 422, giro.CodeInvalidStatus, "/status"},
		{"91 number", "PUT", "/charges/x", "", `{"status":1}`, 422, giro.CodeInvalidStatus, "/status"},
		{"91 null", "PUT", "/charges/x", "", `{"status":null}`, 422, giro.CodeInvalidStatus, "/status"},
		{"null is absent", "POST", "/charges", "", with("description", "null", "customer", "null"), 201, "", ""},
		{"customer object", "POST", "/charges", "", with("customer", `{"name":"Ana","email":"ana@example.com"}`), 201, "", ""},
		{"customer bad email", "POST", "/charges", "", with("customer", `{"name":"Ana","email":"ana"}`), 422, giro.CodeEmailInvalid, "/customer/email"},
		{"customer number", "POST", "/charges", "", with("customer", `1`), 422, giro.CodeInvalidType, "/customer"},
		{"101", "POST", "/v1/refunds", "", `{"charge":7}`, 422, giro.CodeChargeUnknown, "/charge"},
		{"120", "GET", "/charges", "-Authorization", "", 401, giro.CodeUnauthenticated, "Authorization"},
		{"121 basic", "GET", "/charges", "Authorization: Basic YTpi", "", 401, giro.CodeUnauthenticated, "Authorization"},
		{"121 empty", "GET", "/charges", "Authorization: Bearer ", "", 401, giro.CodeUnauthenticated, "Authorization"},
		{"121 bare", "GET", "/charges", "Authorization: Bearer", "", 401, giro.CodeUnauthenticated, "Authorization"},
		{"121 two tokens", "GET", "/charges", "Authorization: Bearer a b", "", 401, giro.CodeUnauthenticated, "Authorization"},
		{"121 two headers", "GET", "/charges", "Authorization: Bearer sk_test_1\nAuthorization: Bearer sk_test_1", "", 401, giro.CodeUnauthenticated, "Authorization"},
		{"122", "GET", "/charges?access_token=sk_test_1", "-Authorization", "", 401, giro.CodeUnauthenticated, "Authorization"},
		{"123", "GET", "/charges", "Authorization: Bearer sk_test_old", "", 401, giro.CodeKeyRevoked, "Authorization"},
		{"125", "GET", "/charges", "Authorization: Bearer " + strings.Repeat("x", 8000), "", 401, giro.CodeUnauthenticated, "Authorization"},
		{"125 headers", "GET", "/charges", "X-Large: " + strings.Repeat("x", 20_000), "", 431, giro.CodeHeadersTooLarge, ""},
		{"126", "POST", "/charges", "Content-Type: text/plain", goodCharge, 415, giro.CodeUnsupportedMedia, "Content-Type"},
		{"126 none", "POST", "/charges", "-Content-Type", goodCharge, 415, giro.CodeUnsupportedMedia, "Content-Type"},
		{"127", "POST", "/charges", "Content-Type: application/json; charset=utf-16", goodCharge, 415, giro.CodeUnsupportedMedia, "Content-Type"},
		{"127 utf-8", "POST", "/charges", "Content-Type: application/json; charset=UTF-8", goodCharge, 201, "", ""},
		{"128", "GET", "/charges", "Accept: text/html", "", 200, "", ""},
		{"129", "GET", "/nothing", "", "", 404, giro.CodeRouteUnknown, ""},
		{"130", "PATCH", "/charges", "", "", 405, giro.CodeMethodNotAllowed, ""},
		{"130 trace", "TRACE", "/charges", "", "", 405, giro.CodeMethodNotAllowed, ""},
		{"132", "GET", "/charges", "X-HTTP-Method-Override: DELETE", "", 200, "", ""},
		{"142", "GET", "/charges?x=" + strings.Repeat("x", 16_000), "", "", 414, giro.CodeURITooLong, ""},
		{"143 double", "GET", "//charges", "", "", 404, giro.CodeRouteUnknown, ""},
		{"143 slash", "GET", "/charges/", "", "", 404, giro.CodeRouteUnknown, ""},
		{"143 upper", "GET", "/CHARGES", "", "", 404, giro.CodeRouteUnknown, ""},
		{"147", "POST", "/charges", "Idempotency-Key: ", goodCharge, 400, giro.CodeKeyMalformed, "Idempotency-Key"},
		{"147 quotes", "POST", "/charges", `Idempotency-Key: ""`, goodCharge, 400, giro.CodeKeyMalformed, "Idempotency-Key"},
		{"147 spaces", "POST", "/charges", "Idempotency-Key:    ", goodCharge, 400, giro.CodeKeyMalformed, "Idempotency-Key"},
		{"148", "POST", "/charges", "Idempotency-Key: " + strings.Repeat("k", 256), goodCharge, 400, giro.CodeKeyMalformed, "Idempotency-Key"},
		{"148 most", "POST", "/charges", "Idempotency-Key: " + strings.Repeat("k", 255), goodCharge, 201, "", ""},
		{"149", "POST", "/charges", "Idempotency-Key: é", goodCharge, 400, giro.CodeKeyMalformed, "Idempotency-Key"},
		{"150", "POST", "/charges", "Idempotency-Key: a\nIdempotency-Key: a", goodCharge, 400, giro.CodeKeyMalformed, "Idempotency-Key"},
		{"166", "POST", "/charges", "", with("description", `"pay `+pan+` now"`), 422, giro.CodeCardData, "/description"},
		{"166 metadata", "POST", "/charges", "", with("metadata", `{"k":"`+pan+`"}`), 422, giro.CodeCardData, "/metadata/k"},
		{"166 metadata key", "POST", "/charges", "", with("metadata", `{"`+pan+`":"k"}`), 422, giro.CodeCardData, "/metadata"},
		{"166 idempotency key", "POST", "/charges", "Idempotency-Key: " + pan, goodCharge, 400, giro.CodeCardData, "Idempotency-Key"},
		{"166 path", "GET", "/charges/" + pan, "", "", 400, giro.CodeCardData, "path"},
		{"166 query", "GET", "/charges?reference=" + pan, "", "", 400, giro.CodeCardData, "query"},
		{"166 agent", "GET", "/charges", "User-Agent: " + pan, "", 400, giro.CodeCardData, "User-Agent"},
		{"167", "POST", "/charges", "", with("description", `"4242 4242-4242.4242"`), 422, giro.CodeCardData, "/description"},
		{"167 escaped", "POST", "/charges", "", with("description", `"\u0034242424242424242"`), 422, giro.CodeCardData, "/description"},
		{"167 full width", "POST", "/charges", "", with("description", `"４２４２４２４２４２４２４２４２"`), 422, giro.CodeCardData, "/description"},
		{"167 no-break", "POST", "/charges", "", with("description", "\"4242\u00a04242\u00a04242\u00a04242\""), 422, giro.CodeCardData, "/description"},
		{"170", "POST", "/charges", "", with("card", `{"number":"1","cvc":"1","exp":"1"}`), 422, giro.CodeCardData, "/card/number"},
		{"171", "POST", "/charges", "", with("metadata", `{"cvv":"1"}`), 422, giro.CodeCardData, "/metadata/cvv"},
		{"172", "POST", "/charges", "", with("description", `"a`+pan+`"`), 201, "", ""},
		{"172 long", "POST", "/charges", "", with("description", `"1234`+pan+`"`), 201, "", ""},
		{"judged", "POST", "/v1/payouts", "", `{"amount":1,"currency":"brl","provider":"bank","bank":{"method":"transfer","account_number":"` + pan + `"}}`, 201, "", ""},
		{"197 0", "GET", "/charges?limit=0", "", "", 400, giro.CodeInvalidLimit, "limit"},
		{"197 -1", "GET", "/charges?limit=-1", "", "", 400, giro.CodeInvalidLimit, "limit"},
		{"197 101", "GET", "/charges?limit=101", "", "", 400, giro.CodeInvalidLimit, "limit"},
		{"197 abc", "GET", "/charges?limit=abc", "", "", 400, giro.CodeInvalidLimit, "limit"},
		{"197 1.5", "GET", "/charges?limit=1.5", "", "", 400, giro.CodeInvalidLimit, "limit"},
		{"197 empty", "GET", "/charges?limit=", "", "", 400, giro.CodeInvalidLimit, "limit"},
		{"198", "GET", "/charges?page=0", "", "", 400, giro.CodeInvalidPage, "page"},
		{"198 above", "GET", "/charges?page=10000000", "", "", 400, giro.CodeInvalidPage, "page"},
		{"200", "GET", "/charges?created[gte]=yesterday", "", "", 400, giro.CodeInvalidTime, "created[gte]"},
		{"200 Feb 30", "GET", "/charges?created[gte]=2026-02-30T00:00:00Z", "", "", 400, giro.CodeInvalidTime, "created[gte]"},
		{"200 no zone", "GET", "/charges?created%5Bgte%5D=2026-02-01T00:00:00", "", "", 400, giro.CodeInvalidTime, "created[gte]"},
		{"200 year 0", "GET", "/charges?created[gte]=0000-02-01T00:00:00Z", "", "", 400, giro.CodeInvalidTime, "created[gte]"},
		{"200 year 10000", "GET", "/charges?created[gte]=10000-02-01T00:00:00Z", "", "", 400, giro.CodeInvalidTime, "created[gte]"},
		{"200 good", "GET", "/charges?created[gte]=1697040000&created[lt]=2026-02-01T00:00:00-03:00", "", "", 200, "", ""},
		{"201", "GET", "/charges?created[gte]=1697040001&created[lte]=1697040000", "", "", 400, giro.CodeInvalidTime, "created"},
		{"202", "GET", "/charges?limits=1", "", "", 400, giro.CodeUnknownParameter, "limits"},
		{"203", "GET", "/charges?limit=1&limit=1", "", "", 400, giro.CodeRepeatedParameter, "limit"},
		{"206", "GET", "/charges?merchant_id=other", "", "", 400, giro.CodeUnknownParameter, "merchant_id"},
		{"status list", "GET", "/charges?status=pending,succeeded&currency=usd&amount[gte]=5&metadata[k]=v", "", "", 200, "", ""},
		{"status unknown", "GET", "/charges?status=done", "", "", 400, giro.CodeInvalidParameter, "status"},
		{"publishable creates", "POST", "/charges", "Authorization: Bearer pk_test_1", goodCharge, 201, "", ""},
		{"publishable pays out", "POST", "/v1/payouts", "Authorization: Bearer pk_test_1", "{}", 403, giro.CodeForbidden, "Authorization"},
		{"scope", "POST", "/charges", "Authorization: Bearer sk_test_reader", goodCharge, 403, giro.CodeForbidden, "Authorization"},
		{"scope reads", "GET", "/charges", "Authorization: Bearer sk_test_reader", "", 200, "", ""},
		{"live funds", "POST", "/v1/test/fund", "Authorization: Bearer sk_live_1", "{}", 403, giro.CodeTestModeOnly, "Authorization"},
		{"admin charges", "GET", "/charges", "Authorization: Bearer admin", "", 403, giro.CodeForbidden, "Authorization"},
		{"admin", "POST", "/v1/merchants", "Authorization: Bearer admin", "{}", 201, "", ""},
		{"key makes merchants", "POST", "/v1/merchants", "", "{}", 403, giro.CodeForbidden, "Authorization"},
		{"no body", "POST", "/v1/charges/x/cancel", "-Content-Type", "", 200, "", ""},
	}
	for _, c := range rows {
		t.Run(c.row, func(t *testing.T) {
			t.Parallel()
			w := do(s, c.method, c.url, c.header, c.body)
			if w.Code != c.status {
				t.Fatalf("status %d, want %d: %s", w.Code, c.status, w.Body)
			}
			if w.Header().Get("Request-Id") == "" {
				t.Error("no Request-Id")
			}
			if c.code == "" {
				return
			}
			var p problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			if p.Code != string(c.code) || p.Param != c.param {
				t.Errorf("got %s at %q (%s), want %s at %q", p.Code, p.Param, p.Detail, c.code, c.param)
			}
			if p.Status != c.status || p.RequestID != w.Header().Get("Request-Id") || p.Type != "/docs/errors/"+p.Code || p.Title == "" || p.Detail == "" {
				t.Errorf("incomplete: %+v", p)
			}
			if w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("Content-Type %q", w.Header().Get("Content-Type"))
			}
			if c.status == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
			if c.status == 405 && w.Header().Get("Allow") != "GET, HEAD, POST" {
				t.Errorf("Allow %q", w.Header().Get("Allow"))
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"k` + string(rune('a'+i/26)) + string(rune('a'+i%26)) + `":"v"`)
	}
	return "{" + b.String() + "}"
}

func do(s http.Handler, method, url, header, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://x/", strings.NewReader(body))
	path, query, _ := strings.Cut(url, "?")
	r.RequestURI = url
	r.URL.RawQuery = query
	r.URL.RawPath = path
	if p, err := unescapePath(path); err == nil {
		r.URL.Path = p
	}
	r.Header.Set("Authorization", "Bearer sk_test_1")
	r.Header.Set("Content-Type", "application/json")
	for i, line := range strings.Split(header, "\n") {
		if name, ok := strings.CutPrefix(line, "-"); ok {
			r.Header.Del(name)
		} else if name, value, ok := strings.Cut(line, ": "); ok {
			if i == 0 {
				r.Header.Del(name)
			}
			r.Header.Add(name, value)
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func unescapePath(path string) (string, error) {
	r, err := http.NewRequest("GET", "http://x"+path, nil)
	if err != nil {
		return "", err
	}
	return r.URL.Path, nil
}

// TestNothingLeaks: what must not be kept is in no log line and in no answer.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	s, log := testServer(t, nil)
	const pan = "4242424242424242"
	for _, w := range []*httptest.ResponseRecorder{
		do(s, "GET", "/charges/"+pan, "", ""),
		do(s, "GET", "/"+pan, "", ""),
		do(s, "GET", "/charges?access_token=sk_test_verysecret", "", ""),
		do(s, "GET", "/charges?q="+pan, "X-Request-Id: "+pan, ""),
		do(s, "POST", "/charges", "", with("description", `"`+pan+`"`)),
		do(s, "POST", "/charges", "", with("card", `{"number":"`+pan+`"}`)),
		do(s, "POST", "/charges", "", with("amount", `"verysecret"`)),
		do(s, "GET", "/charges", "Authorization: Bearer sk_test_verysecret", ""),
		do(s, "GET", "/v1/panic", "", ""),
	} {
		if b := w.Body.String(); strings.Contains(b, pan) || strings.Contains(b, "verysecret") || strings.Contains(b, "a secret") {
			t.Errorf("answered: %s", b)
		}
	}
	if l := log.String(); strings.Contains(l, pan) || strings.Contains(l, "verysecret") {
		t.Errorf("logged: %s", l)
	}
	if n := strings.Count(log.String(), "msg=panic"); n != 1 {
		t.Errorf("the panic was logged %d times", n)
	}
}

func TestPanicAnswers(t *testing.T) {
	t.Parallel()
	s, _ := testServer(t, nil)
	w := do(s, "GET", "/v1/panic", "", "")
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 500 || p.Code != "internal" {
		t.Fatalf("%d %s %v", w.Code, w.Body, err)
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	s, _ := testServer(t, nil)
	get, head := do(s, "GET", "/charges/x", "", ""), do(s, "HEAD", "/charges/x", "", "")
	if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != strconv.Itoa(get.Body.Len()) {
		t.Errorf("%d %q %v", head.Code, head.Body, head.Header())
	}
}

// TestWire holds what only a real connection shows: a body that is announced
// and never sent, one without end, and a bad key that is refused before the
// body is asked for.
func TestWire(t *testing.T) {
	t.Parallel()
	s, _ := testServer(t, nil)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		request string
		status  string
		close   bool
	}{
		"announced":    {"POST /charges HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_test_1\r\nContent-Type: application/json\r\nContent-Length: 10000000000\r\n\r\n", "413", true},
		"expect":       {"POST /charges HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer bad\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n", "401", false},
		"two lengths":  {"POST /charges HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nContent-Length: 11\r\n\r\n", "400", true},
		"no host":      {"GET /charges HTTP/1.1\r\n\r\n", "400", true},
		"http 1.0":     {"GET /charges/x HTTP/1.0\r\nAuthorization: Bearer sk_test_1\r\n\r\n", "200", true},
		"absolute URI": {"GET http://elsewhere/charges/x HTTP/1.1\r\nHost: y\r\nAuthorization: Bearer sk_test_1\r\n\r\n", "200", false},
		"blank colon":  {"GET /charges HTTP/1.1\r\nHost : x\r\n\r\n", "400", true},
		"endless":      {"POST /charges HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_test_1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("10000\r\n"+strings.Repeat(" ", 0x10000)+"\r\n", 18), "413", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := raw(t, server.Listener.Addr().String(), c.request)
			line, _, _ := strings.Cut(answer, "\r\n")
			if !strings.Contains(line, " "+c.status+" ") {
				t.Errorf("%q", answer)
			}
			if c.close && strings.Contains(line, "1.1") && !strings.Contains(strings.ToLower(answer), "connection: close") {
				t.Errorf("the connection stays open: %q", answer)
			}
			if strings.Contains(answer, "100 Continue") {
				t.Error("the body was asked for")
			}
		})
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	s, _ := testServer(t, func(c *Config) { c.RequestsPerSecond, c.Burst = 2, 4; c.Now = func() time.Time { return now } })
	for i := range 4 {
		if w := do(s, "GET", "/charges", "", ""); w.Code != 200 || w.Header().Get("RateLimit-Policy") != `"default";q=4;w=2` {
			t.Fatalf("request %d: %d %v", i, w.Code, w.Header())
		}
	}
	w := do(s, "GET", "/charges", "", "")
	if w.Code != 429 || w.Header().Get("Retry-After") != "1" || !strings.HasPrefix(w.Header().Get("RateLimit"), `"default";r=0;`) {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := do(s, "GET", "/charges", "Authorization: Bearer sk_test_reader", ""); w.Code != 200 {
		t.Errorf("another key: %d", w.Code)
	}
}

func TestKeyForms(t *testing.T) {
	t.Parallel()
	s, _ := testServer(t, nil)
	for _, header := range []string{`Idempotency-Key: abc`, `Idempotency-Key: "abc"`} {
		if w := do(s, "POST", "/charges", header, goodCharge); !strings.Contains(w.Body.String(), `"key":"abc"`) {
			t.Errorf("%s: %s", header, w.Body)
		}
	}
	required, _ := testServer(t, func(c *Config) { c.RequireKey = true })
	if w := do(required, "POST", "/charges", "", goodCharge); !strings.Contains(w.Body.String(), `"idempotency_key_required"`) || w.Code != 400 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestCursors(t *testing.T) {
	t.Parallel()
	a := cursors{bytes.Repeat([]byte{1}, 32)}
	sealed := a.seal("mer|test|/v1/charges|status=pending", []byte("position"))
	if p, err := a.open("mer|test|/v1/charges|status=pending", sealed); err != nil || string(p) != "position" {
		t.Fatalf("%q %v", p, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"other filter": func() ([]byte, error) { return a.open("mer|test|/v1/charges|", sealed) },
		"other mode":   func() ([]byte, error) { return a.open("mer|live|/v1/charges|status=pending", sealed) },
		"other server": func() ([]byte, error) {
			return cursors{bytes.Repeat([]byte{2}, 32)}.open("mer|test|/v1/charges|status=pending", sealed)
		},
		"truncated":  func() ([]byte, error) { return a.open("mer|test|/v1/charges|status=pending", sealed[:len(sealed)-2]) },
		"one bit":    func() ([]byte, error) { return a.open("mer|test|/v1/charges|status=pending", flip(sealed)) },
		"not base64": func() ([]byte, error) { return a.open("", "!!!") },
		"moved the limit": func() ([]byte, error) {
			return a.open("mer|test|/v1/charges|status=pendingp", a.seal("mer|test|/v1/charges|status=pending", []byte("position")))
		},
	} {
		if _, err := open(); !giro.Is(err, giro.CodeInvalidCursor) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func flip(s string) string {
	c := byte('A')
	if s[0] == 'A' {
		c = 'B'
	}
	return string(c) + s[1:]
}

func BenchmarkServe(b *testing.B) {
	s, _ := testServer(b, func(c *Config) { c.Log = nil })
	body := []byte(benchBody)
	r := httptest.NewRequest("POST", "/v1/payouts", nil)
	r.Header.Set("Authorization", "Bearer sk_test_1")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "01906a5b-7c3e-7d2a-9b1f-3c4d5e6f7a8b")
	r.ContentLength = int64(len(body))
	reader := bytes.NewReader(body)
	r.Body = io.NopCloser(reader)
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		w := httptest.ResponseRecorder{HeaderMap: http.Header{}, Body: &bytes.Buffer{}}
		s.ServeHTTP(&w, r)
		if w.Code != 201 {
			b.Fatal(w.Code, w.Body)
		}
	}
}
