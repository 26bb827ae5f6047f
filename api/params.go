package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"giro"
	"giro/money"
)

type paramKind uint8

const (
	paramText     paramKind = iota + 1 // 1 to max code points
	paramInteger                       // min to max
	paramFlag                          // true or false
	paramList                          // comma list of 1 to max values, of enum if there is one
	paramCurrency                      // ISO 4217
	paramID                            // a public id with prefix
	paramTime                          // Unix seconds or RFC 3339
	paramTimes                         // a range: name[gte], name[gt], name[lte], name[lt]
	paramAmounts                       // the same of minor units
	paramMetadata                      // name[key]
	paramCursor                        // made by cursors.seal
)

// param describes a query parameter once, for reading it and for OpenAPI.
type param struct {
	name   string
	kind   paramKind
	about  string
	min    int
	max    int
	enum   []string
	prefix string
	code   giro.Code // of a refused value; invalid_parameter if empty
}

// The parameters that lists share (contract/v1.md, Lists).
var (
	limitParam   = param{name: "limit", kind: paramInteger, min: 1, max: 100, code: giro.CodeInvalidLimit, about: "How many objects to answer; 20 if it is not sent."}
	cursorParam  = param{name: "cursor", kind: paramCursor, code: giro.CodeInvalidCursor, about: "Where the page begins; taken from the Link header of the page before."}
	pageParam    = param{name: "page", kind: paramInteger, min: 1, max: 9_999_999, code: giro.CodeInvalidPage, about: "The number of the page. The answer is then an object with totals."}
	perPageParam = param{name: "items_per_page", kind: paramInteger, min: 1, max: 100, code: giro.CodeInvalidPage, about: "The size of a page; 20 if it is not sent. The answer is then an object with totals."}
	createdParam = param{name: "created", kind: paramTimes, code: giro.CodeInvalidTime, about: "Time of creation: created[gte], [gt], [lte], [lt] as Unix seconds or RFC 3339."}
	amountParam  = param{name: "amount", kind: paramAmounts, about: "Amount in minor units: amount[gte], [gt], [lte], [lt]."}
	metaParam    = param{name: "metadata", kind: paramMetadata, about: "Exact value of a metadata key: metadata[key]=value."}
)

const listLimit = 20

// query is a request's parsed query string. Values were checked against the
// route's parameters; its readers take their names.
type query struct {
	names  []string // as sent, with brackets
	values []string
}

func (q *query) has(name string) bool { return slices.Contains(q.names, name) }

func (q *query) text(name string) string {
	if i := slices.Index(q.names, name); i >= 0 {
		return q.values[i]
	}
	return ""
}

func (q *query) integer(name string, otherwise int) int {
	if v := q.text(name); v != "" {
		n, _ := strconv.Atoi(v)
		return n
	}
	return otherwise
}

func (q *query) list(name string) []string {
	v := q.text(name)
	if v == "" {
		return nil
	}
	values := strings.Split(v, ",")
	for i := range values {
		values[i] = strings.TrimSpace(values[i])
	}
	return values
}

func (q *query) time(name string) time.Time {
	t, _ := parseTime(q.text(name))
	return t
}

func (q *query) currency(name string) money.Currency {
	c, _ := money.ParseCurrency(q.text(name))
	return c
}

// times returns a range of times as inclusive bounds in microseconds.
func (q *query) times(name string) (from, to int64, given bool) {
	return q.span(name, func(v string) int64 {
		t, _ := parseTime(v)
		return giro.Micros(t)
	})
}

// amounts returns a range of amounts as inclusive bounds in minor units.
func (q *query) amounts(name string) (from, to int64, given bool) {
	return q.span(name, func(v string) int64 {
		n, _ := strconv.ParseInt(v, 10, 64)
		return n
	})
}

// span returns name[gte], name[gt], name[lte] and name[lt] as inclusive bounds,
// far off where they are not given. Their values were checked.
func (q *query) span(name string, read func(string) int64) (from, to int64, given bool) {
	from, to = math.MinInt64, math.MaxInt64
	for i, n := range q.names {
		if op, ok := bracket(n, name); ok {
			given = true
			from, to = narrow(op, read(q.values[i]), from, to)
		}
	}
	return from, to, given
}

func narrow(op string, v, from, to int64) (int64, int64) {
	switch op {
	case "gte":
		from = max(from, v)
	case "gt":
		from = max(from, v+1)
	case "lte":
		to = min(to, v)
	case "lt":
		to = min(to, v-1)
	}
	return from, to
}

// metadata returns the keys and values of name[key]=value.
func (q *query) metadata(name string) map[string]string {
	var m map[string]string
	for i, n := range q.names {
		if key, ok := bracket(n, name); ok {
			if m == nil {
				m = map[string]string{}
			}
			m[key] = q.values[i]
		}
	}
	return m
}

// bracket returns the inside of name[inside].
func bracket(s, name string) (string, bool) {
	rest, ok := strings.CutPrefix(s, name)
	if !ok || len(rest) < 3 || rest[0] != '[' || rest[len(rest)-1] != ']' {
		return "", false
	}
	return rest[1 : len(rest)-1], true
}

// filters returns the query without cursor and limit in one order: what a
// cursor is bound to.
func (q *query) filters() string {
	var parts []string
	for i, n := range q.names {
		if n != "cursor" && n != "limit" {
			parts = append(parts, url.QueryEscape(n)+"="+url.QueryEscape(q.values[i]))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

// parseQuery reads a raw query strictly: every parameter known, none twice, all
// values acceptable. reuse may hold an earlier query.
func parseQuery(raw string, params []param, q *query) error {
	q.names, q.values = q.names[:0], q.values[:0]
	if raw == "" {
		return nil
	}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(k)
		if err != nil || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
			return giro.Refuse(giro.CodeInvalidParameter, "query", "the query string is not correctly encoded")
		}
		value, err := url.QueryUnescape(v)
		if err != nil || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return giro.Refuse(giro.CodeInvalidParameter, shorten(name), "the value is not correctly encoded UTF-8")
		}
		p, err := findParam(name, params)
		if err != nil {
			return err
		}
		if q.has(name) {
			return giro.Refuse(giro.CodeRepeatedParameter, name, "this parameter stands twice")
		}
		if err := p.check(name, value); err != nil {
			return err
		}
		q.names, q.values = append(q.names, name), append(q.values, value)
	}
	for i := range params {
		p := &params[i]
		var from, to int64
		var given bool
		switch p.kind {
		case paramTimes:
			from, to, given = q.times(p.name)
		case paramAmounts:
			from, to, given = q.amounts(p.name)
		}
		if given && from > to {
			return p.refuse(p.name, "the range ends before it begins")
		}
	}
	return nil
}

func shorten(name string) string { return strings.TrimPrefix(appendPointer("", name), "/") }

func findParam(name string, params []param) (*param, error) {
	for i := range params {
		p := &params[i]
		switch p.kind {
		case paramTimes, paramAmounts:
			if op, ok := bracket(name, p.name); ok && slices.Contains(rangeOps, op) {
				return p, nil
			}
		case paramMetadata:
			if _, ok := bracket(name, p.name); ok {
				return p, nil
			}
		default:
			if name == p.name {
				return p, nil
			}
		}
	}
	var names []string
	for _, p := range params {
		switch p.kind {
		case paramTimes, paramAmounts:
			for _, op := range rangeOps {
				names = append(names, p.name+"["+op+"]")
			}
		case paramMetadata:
			names = append(names, p.name+"[key]")
		default:
			names = append(names, p.name)
		}
	}
	message := "this parameter does not exist here"
	if near := nearest(name, names); near != "" {
		message += "; did you mean " + near + "?"
	} else if len(names) > 0 {
		message += "; there are " + strings.Join(names, ", ")
	}
	return nil, giro.Refuse(giro.CodeUnknownParameter, shorten(name), message)
}

var rangeOps = []string{"gte", "gt", "lte", "lt"}

func (p *param) refuse(name, message string) error {
	code := p.code
	if code == "" {
		code = giro.CodeInvalidParameter
	}
	return giro.Refuse(code, name, message)
}

func (p *param) check(name, v string) error {
	switch p.kind {
	case paramText, paramMetadata:
		limit := p.max
		if p.kind == paramMetadata {
			limit = metadataValueMax
		}
		if n := utf8.RuneCountInString(v); n < 1 || n > limit {
			return p.refuse(name, "must have 1 to "+strconv.Itoa(limit)+" characters")
		}
	case paramInteger:
		if n, err := strconv.Atoi(v); err != nil || n < p.min || n > p.max || v[0] == '+' {
			return p.refuse(name, "must be an integer from "+strconv.Itoa(p.min)+" to "+strconv.Itoa(p.max))
		}
	case paramFlag:
		if v != "true" && v != "false" {
			return p.refuse(name, "must be true or false")
		}
	case paramList:
		values := strings.Split(v, ",")
		if len(values) > p.max {
			return giro.Refuse(giro.CodeTooManyValues, name, "must have at most "+strconv.Itoa(p.max)+" values")
		}
		for _, one := range values {
			one = strings.TrimSpace(one)
			if one == "" || len(p.enum) > 0 && !slices.Contains(p.enum, one) {
				if len(p.enum) == 0 {
					return p.refuse(name, "must be a list of values separated by commas")
				}
				return p.refuse(name, "must be a list of "+strings.Join(p.enum, ", ")+", separated by commas")
			}
		}
	case paramCurrency:
		if _, err := money.ParseCurrency(v); err != nil {
			return p.refuse(name, "must be a currency of ISO 4217")
		}
	case paramID:
		if _, ok := giro.ParseID(p.prefix, v); !ok {
			return p.refuse(name, "must be an id that begins with "+p.prefix+"_")
		}
	case paramTime, paramTimes:
		if _, ok := parseTime(v); !ok {
			return p.refuse(name, "must be Unix seconds or an RFC 3339 time with a zone, such as 2026-01-31T12:00:00Z")
		}
	case paramAmounts:
		if n, err := strconv.ParseInt(v, 10, 64); err != nil || n < 0 || n > money.Max || v[0] == '+' {
			return p.refuse(name, "must be an integer from 0 to "+strconv.FormatInt(money.Max, 10))
		}
	case paramCursor:
		if v == "" || len(v) > 512 {
			return p.refuse(name, "the cursor must be taken from the Link header of the page before")
		}
	}
	return nil
}

// cursors seals positions in lists. A cursor is good only for the merchant,
// mode, route and filters that it was made for; nobody else can make one.
type cursors struct{ key []byte }

const cursorMAC = 16

func (c cursors) mac(bound string, position []byte) []byte {
	h := hmac.New(sha256.New, c.key)
	h.Write([]byte(strconv.Itoa(len(bound))))
	h.Write([]byte{0})
	h.Write([]byte(bound))
	h.Write(position)
	return h.Sum(nil)[:cursorMAC]
}

// seal returns the cursor of a position; bound is everything that it must be
// used with.
func (c cursors) seal(bound string, position []byte) string {
	return base64.RawURLEncoding.EncodeToString(append(c.mac(bound, position), position...))
}

// open returns the position of a cursor, or invalid_cursor.
func (c cursors) open(bound, cursor string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) <= cursorMAC || !hmac.Equal(b[:cursorMAC], c.mac(bound, b[cursorMAC:])) {
		return nil, giro.Refuse(giro.CodeInvalidCursor, "cursor", "the cursor is not of this list with these filters; take it from the Link header of the page before")
	}
	return b[cursorMAC:], nil
}
