package giro

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// DecodeDetailCore reads of a stored detail what a movement's place in ledger
// and roll-ups depends on: Rail, Account, Destination, FailureCode and Exchange.
// The other members may be left as they are, but it fails wherever json.Unmarshal
// fails. It allocates nothing but the texts.
func DecodeDetailCore(data []byte, d *Detail) error {
	s := scan{data: data}
	s.core(d)
	if !s.failed {
		return nil
	}
	// Not what json.Marshal writes today: members of another order, unknown ones,
	// escapes, or damage.
	*d = Detail{}
	return json.Unmarshal(data, d)
}

// form is what a member of stored JSON has to be.
type form struct {
	is      formKind
	members []member // of an object, in the order in which they are written
	each    *form    // element of a list; value of a map
}

type member struct {
	name string
	form *form
}

type formKind byte

const (
	isText formKind = iota
	isNumber
	isBool
	isUUID
	isObject
	isList
	isMap
	isOther // never certain: left to encoding/json
)

// detailForm is made from the types, so that it cannot differ from them.
var detailForm = formOf(reflect.TypeFor[Detail]())

func formOf(t reflect.Type) *form {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[UUID]():
		return &form{is: isUUID}
	case t == reflect.TypeFor[json.RawMessage](), reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()),
		reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()):
		return &form{is: isOther}
	}
	switch t.Kind() {
	case reflect.String:
		return &form{is: isText}
	case reflect.Int64, reflect.Int:
		return &form{is: isNumber}
	case reflect.Bool:
		return &form{is: isBool}
	case reflect.Slice:
		return &form{is: isList, each: formOf(t.Elem())}
	case reflect.Map:
		return &form{is: isMap, each: formOf(t.Elem())}
	case reflect.Struct:
		f := &form{is: isObject}
		for i := range t.NumField() {
			if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "-" {
				f.members = append(f.members, member{name, formOf(t.Field(i).Type)})
			}
		}
		return f
	}
	return &form{is: isOther}
}

// scan walks over stored JSON. It fails on everything that is not certain to be
// in the form that is asked for, without white space and escapes.
type scan struct {
	data   []byte
	at     int
	failed bool
}

// next consumes c if it comes next.
func (s *scan) next(c byte) bool {
	if s.at < len(s.data) && s.data[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scan) want(c byte) {
	if !s.next(c) {
		s.failed = true
	}
}

// text returns what stands between quotes.
func (s *scan) text() []byte {
	s.want('"')
	rest := s.data[s.at:]
	for i, c := range rest {
		if !endsText[c] {
			continue
		}
		if c != '"' {
			break
		}
		s.at += i + 1
		return rest[:i]
	}
	s.failed = true
	return nil
}

// endsText says which bytes are not a text's own.
var endsText = func() (ends [256]bool) {
	for c := range 0x20 {
		ends[c] = true
	}
	ends['"'], ends['\\'] = true, true
	return
}()

// literal returns a number or a word.
func (s *scan) literal() []byte {
	from := s.at
	for s.at < len(s.data) && (s.data[s.at] == '-' || s.data[s.at] >= '0' && s.data[s.at] <= '9' || s.data[s.at] >= 'a' && s.data[s.at] <= 'z') {
		s.at++
	}
	return s.data[from:s.at]
}

// core reads a whole detail.
func (s *scan) core(d *Detail) {
	s.object(detailForm.members, func(name []byte, f *form) {
		switch string(name) {
		case "rail":
			d.Rail = s.plain()
		case "failure_code":
			d.FailureCode = s.plain()
		case "account":
			d.Account = s.uuid()
		case "destination":
			d.Destination = s.uuid()
		case "exchange": // few have one
			s.failed = true
		default:
			s.value(f)
		}
	})
	s.failed = s.failed || s.at != len(s.data)
}

// plain reads a text of ASCII.
func (s *scan) plain() string {
	v := s.text()
	for _, c := range v {
		if c >= 0x80 {
			s.failed = true
		}
	}
	return string(v)
}

func (s *scan) uuid() (u UUID) {
	v := s.text()
	if len(v) != 36 || v[8] != '-' || v[13] != '-' || v[18] != '-' || v[23] != '-' {
		s.failed = true
		return u
	}
	var digits byte
	for i, at := range [16]byte{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34} {
		high, low := hexDigit[v[at]], hexDigit[v[at+1]]
		digits |= high | low
		u[i] = high<<4 | low
	}
	if digits > 15 {
		s.failed = true
	}
	return u
}

// hexDigit has the values of the lower-case digits; above 15: it is none.
var hexDigit = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range "0123456789abcdef" {
		t[c] = byte(i)
	}
	return
}()

// object walks over the members of an object, each of which it knows. The next
// one most often stands soon behind the last one in their order.
func (s *scan) object(members []member, each func(name []byte, f *form)) {
	s.want('{')
	if s.next('}') {
		return
	}
	for next := 0; !s.failed; next++ {
		name := s.text()
		tried := 0
		for ; tried < len(members); tried++ {
			if next >= len(members) {
				next = 0
			}
			if members[next].name == string(name) {
				break
			}
			next++
		}
		if tried == len(members) {
			s.failed = true
			return
		}
		s.want(':')
		each(name, members[next].form)
		if s.next('}') {
			return
		}
		s.want(',')
	}
}

// value walks over a value of a form.
func (s *scan) value(f *form) {
	switch f.is {
	case isText:
		s.text()
	case isUUID:
		s.uuid()
	case isBool:
		if v := s.literal(); string(v) != "true" && string(v) != "false" {
			s.failed = true
		}
	case isNumber:
		v := s.literal()
		if len(v) > 0 && v[0] == '-' {
			v = v[1:]
		}
		if len(v) == 0 || len(v) > 18 || v[0] == '0' && len(v) > 1 {
			s.failed = true
		}
		for _, c := range v {
			if c < '0' || c > '9' {
				s.failed = true
			}
		}
	case isObject:
		s.object(f.members, func(_ []byte, f *form) { s.value(f) })
	case isList:
		s.want('[')
		for more := !s.next(']'); more && !s.failed; {
			s.value(f.each)
			if more = !s.next(']'); more {
				s.want(',')
			}
		}
	case isMap:
		s.want('{')
		for more := !s.next('}'); more && !s.failed; {
			s.text()
			s.want(':')
			s.value(f.each)
			if more = !s.next('}'); more {
				s.want(',')
			}
		}
	default:
		s.failed = true
	}
}
