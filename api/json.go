package api

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"giro"
)

// The limits of a JSON body. The body's own limit (bodyMax) bounds the rest.
const (
	jsonDepthMax    = 32     // open objects and arrays, the outermost counted
	jsonMembersMax  = 1000   // keys of one object, elements of one array
	jsonValuesMax   = 50_000 // values of one body: a bulk of 1,000 payouts has about 20,000
	duplicateLinear = 12     // keys up to which comparing each with each is cheaper than a map
)

type jsonKind uint8

const (
	jsonNull jsonKind = iota + 1
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

func (k jsonKind) String() string {
	return [...]string{"nothing", "null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// jsonNode is one value of a document. Nodes stand in the order of the text, so
// the children of a node follow it and next is where its subtree ends.
type jsonNode struct {
	kind       jsonKind
	escaped    bool // the string holds escapes
	keyEscaped bool
	keyStart   uint32 // inside the quotes; keyStart == keyEnd == 0 for elements
	keyEnd     uint32
	start      uint32 // of the value as sent; strings: inside the quotes
	end        uint32
	next       uint32 // 0 while the node is open
	count      uint32 // members or elements
}

// document is a JSON text and the tree over it. Strings and numbers are taken
// from the text, as sent; nothing is converted before a rule asks for it.
type document struct {
	text  string
	nodes []jsonNode
}

// parseDocument reads body strictly as RFC 8259 and the stricter rules of the
// contract: one object, no duplicate keys, no lone surrogates, no NUL, limited
// depth and size. It runs in time linear in the length of any input. d may be
// used again; what it held is lost.
//
// Errors: body_required, invalid_json, invalid_utf8, duplicate_key,
// json_too_deep, json_too_large, body_must_be_object, invalid_characters.
func (d *document) parse(body []byte) error {
	d.text = string(body)
	d.nodes = d.nodes[:0]
	p := jsonParser{d: d, s: d.text}
	p.space()
	if p.i == len(p.s) {
		return giro.Refuse(giro.CodeBodyRequired, "", "the request needs a JSON object as its body")
	}
	if err := p.value(0, jsonNode{}); err != nil {
		return err
	}
	p.space()
	if p.i < len(p.s) {
		return p.syntax("the body goes on after the end of its JSON value")
	}
	if d.nodes[0].kind != jsonObject {
		return giro.Refuse(giro.CodeBodyNotObject, "", "the body must be a JSON object, not "+d.nodes[0].kind.String())
	}
	if p.nul > 0 {
		return giro.Refuse(giro.CodeInvalidCharacters, d.pointer(p.nul-1), "strings may not hold the character U+0000")
	}
	return nil
}

type jsonParser struct {
	d   *document
	s   string
	i   int
	nul uint32 // 1 + the node of the first string or key with a NUL
}

// plain marks the bytes that a string may hold without a closer look.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return
}()

func (p *jsonParser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\n', '\t', '\r':
			p.i++
		default:
			return
		}
	}
}

func (p *jsonParser) syntax(what string) error {
	return giro.Refuse(giro.CodeInvalidJSON, "", "the body is not valid JSON: "+what+" (byte "+strconv.Itoa(p.i)+")")
}

// value reads the value at p.i and appends its nodes; n brings the key.
func (p *jsonParser) value(depth int, n jsonNode) error {
	if p.i == len(p.s) {
		return p.syntax("it ends too early")
	}
	if len(p.d.nodes) >= jsonValuesMax {
		return giro.Refuse(giro.CodeJSONTooLarge, "", "the body holds more than "+strconv.Itoa(jsonValuesMax)+" values")
	}
	me := uint32(len(p.d.nodes))
	n.start = uint32(p.i)
	switch c := p.s[p.i]; {
	case c == '"':
		n.kind = jsonString
		p.d.nodes = append(p.d.nodes, n)
		start, end, escaped, err := p.str(me)
		if err != nil {
			return err
		}
		node := &p.d.nodes[me]
		node.start, node.end, node.escaped, node.next = start, end, escaped, me+1
		return nil
	case c == '{', c == '[':
		if depth == jsonDepthMax {
			return giro.Refuse(giro.CodeJSONTooDeep, "", "the body is nested more than "+strconv.Itoa(jsonDepthMax)+" levels deep")
		}
		n.kind = jsonArray
		if c == '{' {
			n.kind = jsonObject
		}
		p.d.nodes = append(p.d.nodes, n)
		p.i++
		if err := p.children(depth+1, me, c == '{'); err != nil {
			return err
		}
		node := &p.d.nodes[me]
		node.end, node.next = uint32(p.i), uint32(len(p.d.nodes))
		return nil
	case c == '-', '0' <= c && c <= '9':
		n.kind = jsonNumber
		if err := p.number(); err != nil {
			return err
		}
	case c == 't':
		n.kind = jsonBool
		if err := p.word("true"); err != nil {
			return err
		}
	case c == 'f':
		n.kind = jsonBool
		if err := p.word("false"); err != nil {
			return err
		}
	case c == 'n':
		n.kind = jsonNull
		if err := p.word("null"); err != nil {
			return err
		}
	default:
		return p.syntax("a value was expected")
	}
	n.end, n.next = uint32(p.i), me+1
	p.d.nodes = append(p.d.nodes, n)
	return nil
}

func (p *jsonParser) word(w string) error {
	if !strings.HasPrefix(p.s[p.i:], w) {
		return p.syntax("a value was expected")
	}
	p.i += len(w)
	return nil
}

func (p *jsonParser) digits() bool {
	from := p.i
	for p.i < len(p.s) && '0' <= p.s[p.i] && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i > from
}

func (p *jsonParser) number() error {
	if p.s[p.i] == '-' {
		p.i++
	}
	leading := p.i
	if !p.digits() {
		return p.syntax("a digit was expected")
	}
	if p.s[leading] == '0' && p.i > leading+1 {
		return p.syntax("a number may not begin with a zero")
	}
	if p.i < len(p.s) && p.s[p.i] == '.' {
		p.i++
		if !p.digits() {
			return p.syntax("a digit was expected after the decimal point")
		}
	}
	if p.i < len(p.s) && (p.s[p.i] == 'e' || p.s[p.i] == 'E') {
		p.i++
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if !p.digits() {
			return p.syntax("a digit was expected in the exponent")
		}
	}
	return nil
}

// str reads the string at p.i. node is the value that it is, or whose key it
// is: where a fault in it is to be shown.
func (p *jsonParser) str(node uint32) (start, end uint32, escaped bool, err error) {
	p.i++
	start = uint32(p.i)
	for {
		for p.i < len(p.s) && plain[p.s[p.i]] {
			p.i++
		}
		if p.i == len(p.s) {
			return 0, 0, false, p.syntax("a string is not closed")
		}
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return start, uint32(p.i - 1), escaped, nil
		case c == '\\':
			escaped = true
			if err := p.escape(node); err != nil {
				return 0, 0, false, err
			}
		case c < 0x20:
			return 0, 0, false, p.syntax("a control character in a string must be escaped")
		default:
			r, size := utf8.DecodeRuneInString(p.s[p.i:])
			if r == utf8.RuneError && size == 1 {
				return 0, 0, false, p.utf8("the body must be UTF-8")
			}
			p.i += size
		}
	}
}

func (p *jsonParser) utf8(what string) error {
	return giro.Refuse(giro.CodeInvalidUTF8, "", what+" (byte "+strconv.Itoa(p.i)+")")
}

func (p *jsonParser) escape(node uint32) error {
	if p.i+1 == len(p.s) {
		return p.syntax("a string is not closed")
	}
	switch p.s[p.i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.i += 2
		return nil
	case 'u':
	default:
		return p.syntax("an unknown escape in a string")
	}
	r, ok := hex4(p.s, p.i+2)
	if !ok {
		return p.syntax(`\u needs four hexadecimal digits`)
	}
	switch {
	case r == 0:
		if p.nul == 0 {
			p.nul = node + 1
		}
	case 0xdc00 <= r && r < 0xe000:
		return p.utf8("a low surrogate without its high one")
	case 0xd800 <= r && r < 0xdc00:
		low, ok := hex4(p.s, p.i+8)
		if !ok || p.s[p.i+6] != '\\' || p.s[p.i+7] != 'u' || low < 0xdc00 || low >= 0xe000 {
			return p.utf8("a high surrogate without its low one")
		}
		p.i += 6
	}
	p.i += 6
	return nil
}

// hex4 reads four hexadecimal digits at s[i:].
func hex4(s string, i int) (r rune, ok bool) {
	if i+4 > len(s) {
		return 0, false
	}
	for _, c := range []byte(s[i : i+4]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

func (p *jsonParser) tooMany(what string) error {
	return giro.Refuse(giro.CodeJSONTooLarge, "", "more than "+strconv.Itoa(jsonMembersMax)+" "+what)
}

// children reads the members of an object or the elements of an array, behind
// its opening bracket.
func (p *jsonParser) children(depth int, me uint32, object bool) error {
	closing, many, wanted := byte(']'), "elements in one array", "a comma or a closing bracket was expected"
	if object {
		closing, many, wanted = '}', "keys in one object", "a comma or a closing brace was expected"
	}
	p.space()
	if p.i < len(p.s) && p.s[p.i] == closing {
		p.i++
		return nil
	}
	count := uint32(0)
	var seen map[string]struct{} // of keys, made once the object is large
	for {
		if count == jsonMembersMax {
			return p.tooMany(many)
		}
		var n jsonNode
		if object {
			var err error
			if n, seen, err = p.memberKey(me, count, seen); err != nil {
				return err
			}
		}
		if err := p.value(depth, n); err != nil {
			return err
		}
		count++
		p.d.nodes[me].count = count
		p.space()
		if p.i == len(p.s) {
			return p.syntax("it ends too early")
		}
		switch p.s[p.i] {
		case closing:
			p.i++
			return nil
		case ',':
			p.i++
			p.space()
		default:
			return p.syntax(wanted)
		}
	}
}

// memberKey reads a key and the colon behind it; n carries it to its value.
func (p *jsonParser) memberKey(me, count uint32, seen map[string]struct{}) (n jsonNode, _ map[string]struct{}, err error) {
	if p.i == len(p.s) || p.s[p.i] != '"' {
		return n, seen, p.syntax("a key in double quotes was expected")
	}
	if n.keyStart, n.keyEnd, n.keyEscaped, err = p.str(uint32(len(p.d.nodes))); err != nil {
		return n, seen, err
	}
	if count < duplicateLinear {
		err = p.duplicateAmong(me, n)
	} else {
		seen, err = p.duplicateIn(seen, me, n)
	}
	if err != nil {
		return n, seen, err
	}
	p.space()
	if p.i == len(p.s) || p.s[p.i] != ':' {
		return n, seen, p.syntax("a colon was expected after a key")
	}
	p.i++
	p.space()
	return n, seen, nil
}

func (p *jsonParser) duplicate(me uint32, key string) error {
	return giro.Refuse(giro.CodeDuplicateKey, appendPointer(p.d.pointer(me), key), "a key stands twice in one object")
}

// duplicateAmong compares a new key with the few before it.
func (p *jsonParser) duplicateAmong(me uint32, n jsonNode) error {
	nodes := p.d.nodes
	end := uint32(len(nodes))
	for i := me + 1; i < end; i = nodes[i].next {
		o := &nodes[i]
		if o.keyEscaped || n.keyEscaped {
			if key := p.d.unescape(n.keyStart, n.keyEnd, n.keyEscaped); key == p.d.key(i) {
				return p.duplicate(me, key)
			}
			continue
		}
		if o.keyEnd-o.keyStart == n.keyEnd-n.keyStart && p.s[o.keyStart:o.keyEnd] == p.s[n.keyStart:n.keyEnd] {
			return p.duplicate(me, p.s[n.keyStart:n.keyEnd])
		}
	}
	return nil
}

// duplicateIn does the same by a map, whose seed no sender knows.
func (p *jsonParser) duplicateIn(seen map[string]struct{}, me uint32, n jsonNode) (map[string]struct{}, error) {
	if seen == nil {
		seen = make(map[string]struct{}, 64)
		for i, end := me+1, uint32(len(p.d.nodes)); i < end; i = p.d.nodes[i].next {
			seen[p.d.key(i)] = struct{}{}
		}
	}
	key := p.d.unescape(n.keyStart, n.keyEnd, n.keyEscaped)
	if _, twice := seen[key]; twice {
		return seen, p.duplicate(me, key)
	}
	seen[key] = struct{}{}
	return seen, nil
}

// key returns the decoded key of a member.
func (d *document) key(i uint32) string {
	n := &d.nodes[i]
	return d.unescape(n.keyStart, n.keyEnd, n.keyEscaped)
}

// str returns the decoded value of a string node.
func (d *document) str(i uint32) string {
	n := &d.nodes[i]
	return d.unescape(n.start, n.end, n.escaped)
}

// raw returns a value as it was sent; of a string what stands in the quotes.
func (d *document) raw(i uint32) string { return d.text[d.nodes[i].start:d.nodes[i].end] }

// member returns the node of an object's member, 0 if it has none.
func (d *document) member(object uint32, key string) uint32 {
	for i, end := object+1, d.nodes[object].next; i < end; i = d.nodes[i].next {
		n := &d.nodes[i]
		if n.keyEscaped {
			if d.key(i) == key {
				return i
			}
		} else if d.text[n.keyStart:n.keyEnd] == key {
			return i
		}
	}
	return 0
}

// unescape decodes a string that the parser has accepted.
func (d *document) unescape(start, end uint32, escaped bool) string {
	s := d.text[start:end]
	if !escaped {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b = append(b, s[i])
			i++
			continue
		}
		switch c := s[i+1]; c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, _ := hex4(s, i+2)
			if 0xd800 <= r && r < 0xdc00 {
				low, _ := hex4(s, i+8)
				r = 0x10000 + (r-0xd800)<<10 + (low - 0xdc00)
				i += 6
			}
			b = utf8.AppendRune(b, r)
			i += 4
		default: // " \ /
			b = append(b, c)
		}
		i += 2
	}
	return string(b)
}

// pointer returns the JSON pointer of a node (RFC 6901).
func (d *document) pointer(node uint32) string {
	if node >= uint32(len(d.nodes)) { // a key whose value was not read
		return ""
	}
	s, at := "", uint32(0)
	for at != node {
		child, n := at+1, 0
		for d.nodes[child].next != 0 && d.nodes[child].next <= node {
			child = d.nodes[child].next
			n++
		}
		if d.nodes[at].kind == jsonArray {
			s += "/" + strconv.Itoa(n)
		} else {
			s = appendPointer(s, d.key(child))
		}
		at = child
	}
	return s
}

// appendPointer adds a member to a JSON pointer. A key too long to be a name is
// cut: pointers are read by people and stand in logs.
func appendPointer(pointer, key string) string {
	if len(key) > 64 {
		cut := 64
		for !utf8.RuneStart(key[cut]) {
			cut--
		}
		key = key[:cut] + "…"
	}
	if strings.ContainsAny(key, "~/") {
		key = strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
	}
	return pointer + "/" + key
}

// appendCanonical writes a node without white space, keys sorted by value,
// strings by value, numbers as sent.
func (d *document) appendCanonical(b []byte, i uint32) []byte {
	n := &d.nodes[i]
	switch n.kind {
	case jsonString:
		return appendString(b, d.str(i))
	case jsonArray:
		b = append(b, '[')
		for c := i + 1; c < n.next; c = d.nodes[c].next {
			if c > i+1 {
				b = append(b, ',')
			}
			b = d.appendCanonical(b, c)
		}
		return append(b, ']')
	case jsonObject:
		b = append(b, '{')
		var few [16]uint32
		for at, c := range d.sorted(i, few[:0]) {
			if at > 0 {
				b = append(b, ',')
			}
			b = d.appendMember(b, c)
		}
		return append(b, '}')
	default:
		return append(b, d.raw(i)...)
	}
}

func (d *document) appendMember(b []byte, c uint32) []byte {
	b = append(appendString(b, d.key(c)), ':')
	return d.appendCanonical(b, c)
}

// sorted appends an object's members in the order of their keys.
func (d *document) sorted(object uint32, members []uint32) []uint32 {
	for c, end := object+1, d.nodes[object].next; c < end; c = d.nodes[c].next {
		members = append(members, c)
	}
	slices.SortFunc(members, func(a, b uint32) int { return strings.Compare(d.key(a), d.key(b)) })
	return members
}

// fingerprint tells whether a request repeats another: hash covers method, path
// and canonical body; members names the body's top-level members with a digest
// of each ("amount:1a2b3c4d,currency:…", sorted), so that a mismatch can say
// which of them differ.
type fingerprint struct {
	hash    [16]byte
	members string
}

// membersDigested bounds members: a body with more is compared as a whole.
const membersDigested = 64

// fingerprint computes the request's fingerprint. scratch is only for reuse and
// is returned, grown; a document without nodes stands for no body.
func (d *document) fingerprint(method, path string, scratch []byte) (fingerprint, []byte) {
	b := append(scratch[:0], method...)
	b = append(b, 0)
	b = append(b, path...)
	b = append(b, 0)
	var f fingerprint
	if len(d.nodes) > 0 {
		var few [16]uint32
		var digests [512]byte
		list := digests[:0]
		b = append(b, '{')
		for at, c := range d.sorted(0, few[:0]) {
			if at > 0 {
				b = append(b, ',')
			}
			from := len(b)
			b = d.appendMember(b, c)
			if at < membersDigested {
				list = appendDigest(list, d.key(c), b[from:])
			}
		}
		b = append(b, '}')
		f.members = string(list)
	}
	sum := sha256.Sum256(b)
	copy(f.hash[:], sum[:])
	return f, b
}

// appendDigest writes one entry of members. Bytes that are no letter, digit or
// underscore are written as %XX, so names never hold the separators.
func appendDigest(list []byte, name string, member []byte) []byte {
	const hexdigits = "0123456789abcdef"
	if len(list) > 0 {
		list = append(list, ',')
	}
	for i := 0; i < len(name) && i < 64; i++ {
		if c := name[i]; c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' {
			list = append(list, c)
		} else {
			list = append(list, '%', hexdigits[c>>4], hexdigits[c&15])
		}
	}
	list = append(list, ':')
	// FNV-1a, folded: the digest only helps a message along, hash decides.
	h := uint64(14695981039346656037)
	for _, c := range member {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h ^= h >> 32
	for shift := 28; shift >= 0; shift -= 4 {
		list = append(list, hexdigits[h>>shift&15])
	}
	return list
}

// appendString writes s as a JSON string: the shortest escapes, everything
// else as UTF-8. s must be valid UTF-8; < > & are written as they are.
func appendString(b []byte, s string) []byte {
	const hexdigits = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if plain[c] || c >= 0x80 {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexdigits[c>>4], hexdigits[c&15])
		}
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}
