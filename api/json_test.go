package api

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"giro"
)

func TestParse(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	keys := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(`,"k` + strconv.Itoa(i) + `":1`)
		}
		return "{" + b.String()[1:] + "}"
	}
	for name, c := range map[string]struct {
		body  string
		code  giro.Code
		param string
	}{
		"object":            {`{"a":1,"b":[true,false,null,"x",-1.5e+3,{}]}`, "", ""},
		"white space":       {" \r\n\t{ \"a\" : 1 , \"b\" : [ ] } \n", "", ""},
		"empty":             {``, giro.CodeBodyRequired, ""},
		"blank":             {" \n", giro.CodeBodyRequired, ""},
		"open brace":        {`{`, giro.CodeInvalidJSON, ""},
		"array":             {`[]`, giro.CodeBodyNotObject, ""},
		"null":              {`null`, giro.CodeBodyNotObject, ""},
		"string":            {`"x"`, giro.CodeBodyNotObject, ""},
		"two documents":     {`{}{}`, giro.CodeInvalidJSON, ""},
		"trailing garbage":  {`{}x`, giro.CodeInvalidJSON, ""},
		"byte order mark":   {"\ufeff{}", giro.CodeInvalidJSON, ""},
		"utf-16":            {"\xff\xfe{\x00}\x00", giro.CodeInvalidJSON, ""},
		"utf-16 bare":       {"{\x00}\x00", giro.CodeInvalidJSON, ""},
		"bad utf-8":         {"{\"a\":\"\xff\"}", giro.CodeInvalidUTF8, ""},
		"bad utf-8 in key":  {"{\"\xff\":1}", giro.CodeInvalidUTF8, ""},
		"overlong":          {"{\"a\":\"\xc0\x80\"}", giro.CodeInvalidUTF8, ""},
		"lone high":         {`{"a":"\ud800"}`, giro.CodeInvalidUTF8, ""},
		"lone low":          {`{"a":"\udc00"}`, giro.CodeInvalidUTF8, ""},
		"high and letter":   {`{"a":"\ud800\u0041"}`, giro.CodeInvalidUTF8, ""},
		"high at the end":   {`{"a":"\ud800`, giro.CodeInvalidUTF8, ""},
		"pair":              {`{"a":"\ud83d\ude00"}`, "", ""},
		"NUL":               {`{"a":{"b":["x","\u0000"]}}`, giro.CodeInvalidCharacters, "/a/b/1"},
		"NUL in key":        {`{"a\u0000":1}`, giro.CodeInvalidCharacters, "/a\x00"},
		"NUL, then garbage": {`{"a":"\u0000"`, giro.CodeInvalidJSON, ""},
		"raw control":       {"{\"a\":\"\x01\"}", giro.CodeInvalidJSON, ""},
		"twice":             {`{"amount":1,"amount":2}`, giro.CodeDuplicateKey, "/amount"},
		"twice, escaped":    {`{"amount":1,"\u0061mount":2}`, giro.CodeDuplicateKey, "/amount"},
		"twice, inside":     {`{"m":{"a/b":1,"a/b":2}}`, giro.CodeDuplicateKey, "/m/a~1b"},
		"twice, among many": {keys(40)[:len(keys(40))-1] + `,"k3":1}`, giro.CodeDuplicateKey, "/k3"},
		"two cases":         {`{"amount":1,"AMOUNT":2}`, "", ""},
		"depth 32":          {deep(32), "", ""},
		"depth 33":          {deep(33), giro.CodeJSONTooDeep, ""},
		"depth 100000":      {strings.Repeat("[", 100_000), giro.CodeJSONTooDeep, ""},
		"1000 keys":         {keys(1000), "", ""},
		"1001 keys":         {keys(1001), giro.CodeJSONTooLarge, ""},
		"1001 elements":     {`{"a":[` + strings.Repeat("1,", 1000) + "1]}", giro.CodeJSONTooLarge, ""},
		"too many values":   {`{"a":[` + strings.Repeat("["+strings.Repeat("1,", 900)+"1],", 100) + "1]}", giro.CodeJSONTooLarge, ""},
		"comment":           {`{/* */}`, giro.CodeInvalidJSON, ""},
		"trailing comma":    {`{"a":1,}`, giro.CodeInvalidJSON, ""},
		"trailing comma []": {`{"a":[1,]}`, giro.CodeInvalidJSON, ""},
		"single quotes":     {`{'a':1}`, giro.CodeInvalidJSON, ""},
		"NaN":               {`{"a":NaN}`, giro.CodeInvalidJSON, ""},
		"Infinity":          {`{"a":-Infinity}`, giro.CodeInvalidJSON, ""},
		"hexadecimal":       {`{"a":0x10}`, giro.CodeInvalidJSON, ""},
		"leading zero":      {`{"a":007}`, giro.CodeInvalidJSON, ""},
		"plus":              {`{"a":+1}`, giro.CodeInvalidJSON, ""},
		"bare point":        {`{"a":.5}`, giro.CodeInvalidJSON, ""},
		"point at the end":  {`{"a":5.}`, giro.CodeInvalidJSON, ""},
		"bare exponent":     {`{"a":1e}`, giro.CodeInvalidJSON, ""},
		"half a word":       {`{"a":tru}`, giro.CodeInvalidJSON, ""},
		"unknown escape":    {`{"a":"\x41"}`, giro.CodeInvalidJSON, ""},
		"short escape":      {`{"a":"\u00"}`, giro.CodeInvalidJSON, ""},
		"escape at the end": {`{"a":"\`, giro.CodeInvalidJSON, ""},
		"no colon":          {`{"a" 1}`, giro.CodeInvalidJSON, ""},
		"no value":          {`{"a":`, giro.CodeInvalidJSON, ""},
		"prototype":         {`{"__proto__":1,"constructor":2}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var d document
			err := d.parse([]byte(c.body))
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !giro.Is(err, c.code) {
				t.Fatalf("got %v, want %s", err, c.code)
			}
			if got := giro.AsError(err).Param; got != c.param {
				t.Errorf("param %q, want %q", got, c.param)
			}
		})
	}
}

// TestParseHostile holds the linear time: each input is close to the largest
// body, and none may cost more than a quadratic algorithm could hide.
func TestParseHostile(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"open brackets": strings.Repeat("[", 1<<20),
		"open braces":   strings.Repeat(`{"":`, 1<<18),
		"digits":        `{"amount":` + strings.Repeat("9", 1<<20) + `}`,
		"one string":    `{"a":"` + strings.Repeat("x", 1<<20) + `"}`,
		"escapes":       `{"a":"` + strings.Repeat(`\u0034`, 1<<17) + `"}`,
		"backslashes":   `{"a":"` + strings.Repeat(`\\`, 1<<19) + `"}`,
		"blanks":        strings.Repeat(" ", 1<<20) + "x",
		"long key":      `{"` + strings.Repeat("k", 1<<20) + `":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			var d document
			if err := d.parse([]byte(body)); err == nil {
				d.fingerprint("POST", "/v1/charges", nil)
			}
			// Milliseconds in truth; a second leaves room for a loaded machine.
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func mustParse(t testing.TB, body string) *document {
	t.Helper()
	d := new(document)
	if err := d.parse([]byte(body)); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return d
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		` { "b" : 1.0 , "a" : [ true , null , { } ] } `: `{"a":[true,null,{}],"b":1.0}`,
		`{"a":"\u0041\/\n\u00e9"}`:                      `{"a":"A/\né"}`,
		`{"a":"\ud83d\ude00\u2028<&>\u007f\u0001"}`:     "{\"a\":\"😀\u2028<&>\x7f\\u0001\"}",
		`{"\u0062":1,"a":2}`:                            `{"a":2,"b":1}`,
		`{"n":1E2,"m":-0}`:                              `{"m":-0,"n":1E2}`,
	} {
		d := mustParse(t, body)
		if got := string(d.appendCanonical(nil, 0)); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
}

// differing names the members whose digests are not equal.
func differing(a, b string) (names []string) {
	digest := map[string]string{}
	for part := range strings.SplitSeq(a, ",") {
		name, d, _ := strings.Cut(part, ":")
		digest[name] = d
	}
	for part := range strings.SplitSeq(b, ",") {
		name, d, _ := strings.Cut(part, ":")
		if digest[name] != d {
			names = append(names, name)
		}
		delete(digest, name)
	}
	for name := range digest {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	of := func(method, path, body string) fingerprint {
		f, _ := mustParse(t, body).fingerprint(method, path, nil)
		return f
	}
	base := of("POST", "/v1/charges", `{"amount":1000,"currency":"usd","card":{"token":"t"}}`)
	if same := of("POST", "/v1/charges", `{ "card":{"token":"\u0074"}, "currency":"usd" , "amount":1000}`); same != base {
		t.Errorf("order and white space change the fingerprint: %v, %v", base, same)
	}
	for _, c := range []struct {
		method, path, body string
		differing          []string
	}{
		{"PUT", "/v1/charges", `{"amount":1000,"currency":"usd","card":{"token":"t"}}`, nil},
		{"POST", "/v1/payouts", `{"amount":1000,"currency":"usd","card":{"token":"t"}}`, nil},
		{"POST", "/v1/charges", `{"amount":1001,"currency":"usd","card":{"token":"t"}}`, []string{"amount"}},
		{"POST", "/v1/charges", `{"amount":1000.0,"currency":"usd","card":{"token":"t"}}`, []string{"amount"}},
		{"POST", "/v1/charges", `{"amount":1000,"card":{"token":"u"},"reference":"r"}`, []string{"card", "currency", "reference"}},
		{"POST", "/v1/charges", `{"amount":"1000","currency":"usd","card":{"token":"t"}}`, []string{"amount"}},
	} {
		f := of(c.method, c.path, c.body)
		if f.hash == base.hash {
			t.Errorf("%s %s %s: the same fingerprint", c.method, c.path, c.body)
		}
		if got := differing(base.members, f.members); !reflect.DeepEqual(got, c.differing) {
			t.Errorf("%s: differing %v, want %v", c.body, got, c.differing)
		}
	}
	// NFC and NFD are different bytes and stay so.
	if of("POST", "/", `{"a":"é"}`) == of("POST", "/", "{\"a\":\"e\u0301\"}") {
		t.Error("normalised")
	}
}

// FuzzParse compares with encoding/json: what giro accepts it accepts too, and
// the canonical form means the same and is stable.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"a":"\u00e9\ud83d\ude00"}`, `{"a":[{},[],-0.5e10]}`, "{", `{"a":1,"a":2}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var d document
		if err := d.parse([]byte(body)); err != nil {
			return
		}
		canonical := d.appendCanonical(nil, 0)
		var sent, meant any
		if err := json.Unmarshal([]byte(body), &sent); err != nil && !strings.Contains(err.Error(), "cannot unmarshal number") {
			t.Fatalf("%q is refused by encoding/json: %v", body, err)
		} else if err == nil {
			if err := json.Unmarshal(canonical, &meant); err != nil || !reflect.DeepEqual(sent, meant) {
				t.Fatalf("%q became %q: %v", body, canonical, err)
			}
		}
		var again document
		if err := again.parse(canonical); err != nil {
			t.Fatalf("%q: %v", canonical, err)
		}
		if second := again.appendCanonical(nil, 0); string(second) != string(canonical) {
			t.Fatalf("%q became %q", canonical, second)
		}
	})
}

const benchBody = `{"amount":125000,"currency":"brl","provider":"bank","bank":{"method":"pix","key":"maria@example.com"},"recipient":{"name":"Maria Silva","document":{"type":"CPF","number":"00000000191"}},"reference":"order-8812","metadata":{"order_id":"8812","channel":"app"}}`

func BenchmarkParse(b *testing.B) {
	body := []byte(benchBody)
	var d document
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.parse(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFingerprint(b *testing.B) {
	d := mustParse(b, benchBody)
	var scratch []byte
	b.ReportAllocs()
	for b.Loop() {
		_, scratch = d.fingerprint("POST", "/v1/payouts", scratch)
	}
}
