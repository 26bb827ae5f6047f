package api

import (
	"cmp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"giro"
	"giro/money"
)

type schemaKind uint8

const (
	kindText     schemaKind = iota + 1 // a string of min to max code points
	kindEnum                           // one of enum
	kindID                             // a public id with one of the prefixes in enum
	kindEmail                          // an address, at most 254 bytes
	kindURL                            // at most 2,048 bytes; what it may point to is the webhook rules' matter
	kindCountry                        // ISO 3166 alpha-2, in either case
	kindCurrency                       // ISO 4217, in either case
	kindAmount                         // integer minor units, 1 to money.Max
	kindInteger                        // min to max
	kindFlag                           // a boolean
	kindTime                           // Unix seconds or RFC 3339
	kindMetadata                       // a flat object of strings
	kindObject                         // fields
	kindList                           // min to max elements of item
	kindEither                         // a string by options[0], or an object by options[1]
	kindAny                            // any JSON; only in answers
)

// schema describes a JSON value once. The decoder holds request bodies to it
// and the OpenAPI document shows it; answers are described in the same way.
type schema struct {
	kind    schemaKind
	name    string // of the OpenAPI component; a schema without one is written in place
	about   string
	min     int
	max     int
	enum    []string
	fields  []field
	item    *schema
	options []*schema
	example any

	// refuse replaces the code of a refused value, where a rule names one
	// (provider_unknown, invalid_status, …); length, for the wrong length.
	refuse giro.Code
	length giro.Code

	// judged marks a destination, document or token of a type: its own rule
	// alone decides, and the search for card numbers leaves it alone.
	judged bool

	// each marks a list whose elements the handler judges one by one, so that one
	// that is refused does not refuse the others.
	each bool

	// readOnly are names that answers have and requests may not set.
	readOnly []string

	nullable bool // answers only: null where it does not apply
}

// field is a member of an object. In an answer every field is present unless it
// is optional; in a request a field is required or may be left out.
type field struct {
	name     string
	schema   *schema
	about    string
	required bool
	optional bool // answers only: left out where it does not apply
	notNull  bool // null is refused like a wrong type; for optional fields that is otherwise "absent"
	example  any
}

func text(min, max int) *schema { return &schema{kind: kindText, min: min, max: max} }

func oneOf(values ...string) *schema { return &schema{kind: kindEnum, enum: values} }

func idOf(prefixes ...string) *schema { return &schema{kind: kindID, enum: prefixes} }

func listOf(item *schema, min, max int) *schema {
	return &schema{kind: kindList, item: item, min: min, max: max}
}

var (
	amountSchema   = &schema{kind: kindAmount, example: 1000}
	currencySchema = &schema{kind: kindCurrency, example: "usd"}
	metadataSchema = &schema{kind: kindMetadata, example: map[string]any{"order_id": "8812"}}
	flagSchema     = &schema{kind: kindFlag}
	timeSchema     = &schema{kind: kindTime}
	emailSchema    = &schema{kind: kindEmail, example: "ana@example.com"}
	countrySchema  = &schema{kind: kindCountry, example: "BR"}
)

// The limits of metadata (contract/v1.md, Conventions).
const (
	metadataMax      = 50
	metadataKeyMax   = 40
	metadataValueMax = 500
)

// object is a decoded JSON object whose values have been checked. Its readers
// take the name of a field of the schema; a field that is absent or null has
// the zero value.
type object struct {
	d    *document
	node uint32
	ok   bool
}

// root returns the body.
func (d *document) root() object { return object{d, 0, len(d.nodes) > 0} }

func (o object) find(name string) (uint32, bool) {
	if !o.ok {
		return 0, false
	}
	i := o.d.member(o.node, name)
	return i, i != 0 && o.d.nodes[i].kind != jsonNull
}

// has reports whether the field was sent and is not null.
func (o object) has(name string) bool {
	_, ok := o.find(name)
	return ok
}

// text returns a string field.
func (o object) text(name string) string {
	if i, ok := o.find(name); ok && o.d.nodes[i].kind == jsonString {
		return o.d.str(i)
	}
	return ""
}

// amount returns a field of minor units.
func (o object) amount(name string) int64 {
	if i, ok := o.find(name); ok {
		n, _ := strconv.ParseInt(o.d.raw(i), 10, 64)
		return n
	}
	return 0
}

// integer returns an integer field.
func (o object) integer(name string) int64 { return o.amount(name) }

// flag returns a boolean field, or otherwise where it is absent.
func (o object) flag(name string, otherwise bool) bool {
	if i, ok := o.find(name); ok {
		return o.d.raw(i) == "true"
	}
	return otherwise
}

// currency returns a currency field.
func (o object) currency(name string) money.Currency {
	c, _ := money.ParseCurrency(o.text(name))
	return c
}

// id returns an id field with this prefix.
func (o object) id(prefix, name string) giro.UUID {
	u, _ := giro.ParseID(prefix, o.text(name))
	return u
}

// time returns a time field.
func (o object) time(name string) time.Time {
	i, ok := o.find(name)
	if !ok {
		return time.Time{}
	}
	if o.d.nodes[i].kind == jsonNumber {
		t, _ := parseTime(o.d.raw(i))
		return t
	}
	t, _ := parseTime(o.d.str(i))
	return t
}

// object returns an object field.
func (o object) object(name string) object {
	if i, ok := o.find(name); ok && o.d.nodes[i].kind == jsonObject {
		return object{o.d, i, true}
	}
	return object{}
}

// metadata returns a field of metadata; nil where it is absent.
func (o object) metadata(name string) map[string]string {
	i, ok := o.find(name)
	if !ok {
		return nil
	}
	m := make(map[string]string, o.d.nodes[i].count)
	for c := i + 1; c < o.d.nodes[i].next; c = o.d.nodes[c].next {
		m[o.d.key(c)] = o.d.str(c)
	}
	return m
}

// texts returns a field that is a list of strings.
func (o object) texts(name string) []string {
	i, ok := o.find(name)
	if !ok {
		return nil
	}
	list := make([]string, 0, o.d.nodes[i].count)
	for c := i + 1; c < o.d.nodes[i].next; c = o.d.nodes[c].next {
		list = append(list, o.d.str(c))
	}
	return list
}

// objects returns a field that is a list of objects.
func (o object) objects(name string) []object {
	i, ok := o.find(name)
	if !ok {
		return nil
	}
	list := make([]object, 0, o.d.nodes[i].count)
	for c := i + 1; c < o.d.nodes[i].next; c = o.d.nodes[c].next {
		list = append(list, object{o.d, c, true})
	}
	return list
}

// decode holds the document to the schema. Card data anywhere is refused before
// anything else is said about the body; then the first fault in the order of
// the schema is the answer.
func (s *schema) decode(d *document) (object, error) {
	if err := s.findCards(d, 0); err != nil {
		return object{}, err
	}
	if err := s.check(d, 0); err != nil {
		return object{}, err
	}
	return d.root(), nil
}

func (s *schema) code(otherwise giro.Code) giro.Code { return cmp.Or(s.refuse, otherwise) }

// check refuses a value that the schema does not allow.
func (s *schema) check(d *document, i uint32) error {
	n := &d.nodes[i]
	wrong := func(wanted string) error {
		return giro.Refuse(s.code(giro.CodeInvalidType), d.pointer(i), "must be "+wanted+", not "+n.kind.String())
	}
	switch s.kind {
	case kindText, kindEnum, kindID, kindEmail, kindURL, kindCountry, kindCurrency:
		if n.kind != jsonString {
			return wrong("a string")
		}
		return s.checkText(d, i)
	case kindAmount:
		if n.kind != jsonNumber {
			return wrong("an integer in the currency's minor unit")
		}
		if code, message := checkAmount(d.raw(i)); code != "" {
			return giro.Refuse(code, d.pointer(i), message)
		}
	case kindInteger:
		if n.kind != jsonNumber {
			return wrong("an integer")
		}
		v, err := strconv.ParseInt(d.raw(i), 10, 64)
		if err != nil || v < int64(s.min) || v > int64(s.max) {
			return giro.Refuse(s.code(giro.CodeInvalidValue), d.pointer(i), "must be an integer from "+strconv.Itoa(s.min)+" to "+strconv.Itoa(s.max))
		}
	case kindFlag:
		if n.kind != jsonBool {
			return wrong("true or false")
		}
	case kindTime:
		var v string
		switch n.kind {
		case jsonNumber:
			v = d.raw(i)
		case jsonString:
			v = d.str(i)
		default:
			return wrong("a time")
		}
		if _, ok := parseTime(v); !ok {
			return giro.Refuse(s.code(giro.CodeInvalidFormat), d.pointer(i), "must be Unix seconds or an RFC 3339 time with a zone, such as 2026-01-31T12:00:00Z")
		}
	case kindMetadata:
		if n.kind != jsonObject {
			return wrong("an object of strings")
		}
		return checkMetadata(d, i)
	case kindObject:
		if n.kind != jsonObject {
			return wrong("an object")
		}
		return s.checkObject(d, i)
	case kindList:
		if n.kind != jsonArray {
			return wrong("an array")
		}
		if int(n.count) < s.min || int(n.count) > s.max {
			return giro.Refuse(s.code(giro.CodeInvalidLength), d.pointer(i), "must have "+strconv.Itoa(s.min)+" to "+strconv.Itoa(s.max)+" elements")
		}
		for c := i + 1; c < n.next && !s.each; c = d.nodes[c].next {
			if err := s.item.check(d, c); err != nil {
				return err
			}
		}
	case kindEither:
		switch n.kind {
		case jsonString:
			return s.options[0].check(d, i)
		case jsonObject:
			return s.options[1].check(d, i)
		}
		return wrong("an id or an object")
	}
	return nil
}

func (s *schema) checkObject(d *document, i uint32) error {
	n := &d.nodes[i]
	known := uint32(0)
	for f := range s.fields {
		if d.member(i, s.fields[f].name) != 0 {
			known++
		}
	}
	if known < n.count {
		// Something is here that the schema does not know: the slow way finds it.
		if err := s.stranger(d, i); err != nil {
			return err
		}
	}
	for f := range s.fields {
		field := &s.fields[f]
		c := d.member(i, field.name)
		if c == 0 {
			if field.required {
				return giro.Refuse(giro.CodeMissingField, appendPointer(d.pointer(i), field.name), "the field "+field.name+" is required")
			}
			continue
		}
		if d.nodes[c].kind == jsonNull && !field.required && !field.notNull {
			continue
		}
		if err := field.schema.check(d, c); err != nil {
			return err
		}
	}
	return nil
}

// stranger returns the error for the first member that the schema does not know.
func (s *schema) stranger(d *document, i uint32) error {
	for c := i + 1; c < d.nodes[i].next; c = d.nodes[c].next {
		key := d.key(c)
		if s.field(key) != nil {
			continue
		}
		at := appendPointer(d.pointer(i), key)
		for _, name := range s.readOnly {
			if name == key {
				return giro.Refuse(giro.CodeReadOnlyField, at, "this field is set by giro and cannot be sent")
			}
		}
		names := make([]string, len(s.fields))
		for f := range s.fields {
			names[f] = s.fields[f].name
		}
		message := "this field does not exist here"
		if near := nearest(key, names); near != "" {
			message += "; did you mean " + near + "?"
		}
		return giro.Refuse(giro.CodeUnknownField, at, message)
	}
	return nil
}

func (s *schema) field(name string) *field {
	for f := range s.fields {
		if s.fields[f].name == name {
			return &s.fields[f]
		}
	}
	return nil
}

func (s *schema) checkText(d *document, i uint32) error {
	refuse := func(code giro.Code, message string) error { return giro.Refuse(code, d.pointer(i), message) }
	v := d.str(i)
	switch s.kind {
	case kindText, kindURL:
		if len(v) < s.min || len(v) > s.max { // bytes ≥ code points, so most values need no count
			n := utf8.RuneCountInString(v)
			if n > s.max {
				return refuse(cmp.Or(s.length, s.code(giro.CodeTooLong)), "must have at most "+strconv.Itoa(s.max)+" characters")
			}
			if n < s.min {
				return refuse(cmp.Or(s.length, s.code(giro.CodeInvalidLength)), s.atLeast())
			}
		} else if s.min > 1 && utf8.RuneCountInString(v) < s.min {
			return refuse(cmp.Or(s.length, s.code(giro.CodeInvalidLength)), s.atLeast())
		}
	case kindEnum:
		for _, e := range s.enum {
			if e == v {
				return nil
			}
		}
		message := "must be one of " + strings.Join(s.enum, ", ")
		if near := nearest(v, s.enum); near != "" {
			message += "; did you mean " + near + "?"
		}
		return refuse(s.code(giro.CodeInvalidValue), message)
	case kindID:
		for _, prefix := range s.enum {
			if _, ok := giro.ParseID(prefix, v); ok {
				return nil
			}
		}
		return refuse(s.code(giro.CodeInvalidFormat), "must be an id that begins with "+strings.Join(s.enum, "_ or ")+"_")
	case kindEmail:
		if !isEmail(v) {
			return refuse(s.code(giro.CodeEmailInvalid), "must be an e-mail address")
		}
	case kindCountry:
		if len(v) != 2 || !isLetter(v[0]) || !isLetter(v[1]) {
			return refuse(s.code(giro.CodeInvalidFormat), "must be an ISO 3166 country code of two letters")
		}
	case kindCurrency:
		if _, err := money.ParseCurrency(v); err != nil {
			return refuse(s.code(giro.CodeCurrencyUnknown), "must be a currency of ISO 4217, such as usd or brl")
		}
	}
	return nil
}

func (s *schema) atLeast() string {
	if s.min == 1 {
		return "must not be empty"
	}
	return "must have at least " + strconv.Itoa(s.min) + " characters"
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// isEmail accepts local@domain without blanks, quotes and comments: what a mail
// can be sent to in practice. Whether it arrives only a mail can tell.
func isEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(local) > 64 || domain == "" || len(s) > 254 {
		return false
	}
	for _, r := range s {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`"(),:;<>[\]`, r) {
			return false
		}
	}
	return !strings.Contains(domain, "@") && !strings.Contains(s, "..") &&
		local[0] != '.' && local[len(local)-1] != '.' &&
		domain[0] != '.' && domain[len(domain)-1] != '.' && domain[0] != '-'
}

// checkAmount holds a JSON number, as sent, to the rules of amounts; code is
// empty if it is one. It looks at the digits and never converts, so 400 of them
// cost no more than they weigh.
func checkAmount(s string) (code giro.Code, message string) {
	digits := strings.TrimPrefix(s, "-")
	exact := len(digits)
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			exact = i
			break
		}
	}
	whole := exact == len(digits)
	switch {
	case digits != s:
		return giro.CodeAmountTooSmall, "must be greater than 0"
	case whole && digits == "0":
		return giro.CodeAmountTooSmall, "must be greater than 0"
	case whole && exact <= maxDigits && digits <= "99999999999999"[:exact]:
		return "", ""
	case exact > maxDigits || hugeExponent(digits[exact:]):
		return giro.CodeAmountTooLarge, "must be at most " + strconv.FormatInt(money.Max, 10)
	}
	return giro.CodeAmountNotInteger, "must be an integer in the currency's minor unit, without decimal point or exponent"
}

// maxDigits is the number of digits of money.Max, all of which are nines.
const maxDigits = 14

// hugeExponent reports whether what follows the integer part carries an
// exponent that makes any amount too large.
func hugeExponent(rest string) bool {
	e := strings.IndexAny(rest, "eE")
	if e < 0 || rest[e+1] == '-' {
		return false
	}
	exponent := strings.TrimLeft(strings.TrimPrefix(rest[e+1:], "+"), "0")
	n, err := strconv.Atoi(exponent)
	return len(exponent) > 2 || err == nil && n > maxDigits
}

func checkMetadata(d *document, i uint32) error {
	n := &d.nodes[i]
	if n.count > metadataMax {
		return giro.Refuse(giro.CodeMetadataTooMany, d.pointer(i), "metadata holds at most "+strconv.Itoa(metadataMax)+" keys")
	}
	for c := i + 1; c < n.next; c = d.nodes[c].next {
		switch d.nodes[c].kind {
		case jsonString:
		case jsonObject, jsonArray:
			return giro.Refuse(giro.CodeMetadataNotFlat, d.pointer(c), "metadata is flat: every value is a string")
		default:
			return giro.Refuse(giro.CodeInvalidType, d.pointer(c), "a metadata value must be a string, not "+d.nodes[c].kind.String())
		}
		if key := d.key(c); key == "" {
			return giro.Refuse(giro.CodeInvalidLength, d.pointer(c), "a metadata key must not be empty")
		} else if len(key) > metadataKeyMax && utf8.RuneCountInString(key) > metadataKeyMax {
			return giro.Refuse(giro.CodeTooLong, d.pointer(c), "a metadata key has at most "+strconv.Itoa(metadataKeyMax)+" characters")
		}
		if v := d.str(c); len(v) > metadataValueMax && utf8.RuneCountInString(v) > metadataValueMax {
			return giro.Refuse(giro.CodeTooLong, d.pointer(c), "a metadata value has at most "+strconv.Itoa(metadataValueMax)+" characters")
		}
	}
	return nil
}

// parseTime reads Unix seconds or RFC 3339 with a zone. Years 1 to 9999.
func parseTime(s string) (time.Time, bool) {
	if s == "" || len(s) > 40 {
		return time.Time{}, false
	}
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil {
		// 0001-01-01 to 9999-12-31; "+5" is no number of JSON or of a query.
		if s[0] == '+' || seconds < -62135596800 || seconds > 253402300799 {
			return time.Time{}, false
		}
		return time.Unix(seconds, 0).UTC(), true
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || strings.Contains(s, ",") || t.UTC().Year() < 1 || t.UTC().Year() > 9999 {
		return time.Time{}, false
	}
	return t.UTC(), true
}

// nearest returns the name that a writer of s may have meant: the same but for
// case, or within two edits (one for short names); "" if none is near.
func nearest(s string, names []string) string {
	if len(s) > 64 {
		return ""
	}
	best, distance := "", 3
	for _, name := range names {
		if strings.EqualFold(s, name) {
			return name
		}
		limit := min(2, len(name)/3)
		if e := edits(strings.ToLower(s), name); e <= limit && e < distance {
			best, distance = name, e
		}
	}
	return best
}

// edits returns the Levenshtein distance, two neighbours exchanged counting as
// one edit.
func edits(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			e := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				e = min(e, rows[i-2][j-2]+1)
			}
			rows[i][j] = e
		}
	}
	return rows[len(a)][len(b)]
}
