package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// tree is a JSON value that keeps the order of its members and its numbers as
// they came, so that what is printed is what the API answered.
type tree struct {
	kind    byte   // '{', '[', '"', '0' for a number, 't' for a boolean, 'n' for null
	text    string // of a string, number or boolean
	names   []string
	members []*tree // of an object, beside names; of an array, its items
}

var errNoJSON = errors.New("the answer is not JSON")

func parseTree(b []byte) (*tree, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	v, err := readTree(d)
	if err != nil {
		return nil, errNoJSON
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errNoJSON
	}
	return v, nil
}

func readTree(d *json.Decoder) (*tree, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		t := &tree{kind: byte(v)}
		for d.More() {
			if v == '{' {
				name, err := d.Token()
				if err != nil {
					return nil, err
				}
				t.names = append(t.names, name.(string))
			}
			member, err := readTree(d)
			if err != nil {
				return nil, err
			}
			t.members = append(t.members, member)
		}
		_, err := d.Token() // the closing one
		return t, err
	case string:
		return &tree{kind: '"', text: v}, nil
	case json.Number:
		return &tree{kind: '0', text: v.String()}, nil
	case bool:
		return &tree{kind: 't', text: strconv.FormatBool(v)}, nil
	}
	return &tree{kind: 'n'}, nil
}

// record is an object of texts: names and texts in turn.
func record(namesAndTexts ...string) *tree {
	t := &tree{kind: '{'}
	for i := 0; i < len(namesAndTexts); i += 2 {
		t.set(namesAndTexts[i], &tree{kind: '"', text: namesAndTexts[i+1]})
	}
	return t
}

// set appends a member to an object.
func (t *tree) set(name string, v *tree) {
	t.names, t.members = append(t.names, name), append(t.members, v)
}

// put sets a member of an object, in place of one of this name.
func (t *tree) put(name string, v *tree) {
	if i := slices.Index(t.names, name); i >= 0 {
		t.members[i] = v
		return
	}
	t.set(name, v)
}

// at follows a path of names, "data.object"; nil: there is no such member.
func (t *tree) at(path string) *tree {
	for name := range strings.SplitSeq(path, ".") {
		if t = t.member(name); t == nil {
			return nil
		}
	}
	return t
}

func (t *tree) member(name string) *tree {
	if t == nil || t.kind != '{' {
		if t != nil && t.kind == '[' {
			if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < len(t.members) {
				return t.members[n]
			}
		}
		return nil
	}
	for i, n := range t.names {
		if n == name {
			return t.members[i]
		}
	}
	return nil
}

// string is a value as one text: scalars as they are, null as nothing, the rest
// as JSON.
func (t *tree) string() string {
	if t == nil {
		return ""
	}
	switch t.kind {
	case 'n':
		return ""
	case '{', '[':
		return string(t.appendJSON(nil, "", ""))
	}
	return t.text
}

func (t *tree) number() int64 {
	if t == nil {
		return 0
	}
	n, err := strconv.ParseInt(t.text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// pick keeps the members that a list of paths names, under these paths; of an
// array those of its items.
func (t *tree) pick(paths []string) *tree {
	if len(paths) > 0 && t.kind == '[' {
		picked := &tree{kind: '['}
		for _, item := range t.members {
			picked.members = append(picked.members, item.pick(paths))
		}
		return picked
	}
	if len(paths) == 0 || t.kind != '{' {
		return t
	}
	picked := &tree{kind: '{'}
	for _, path := range paths {
		v := t.at(path)
		if v == nil {
			v = &tree{kind: 'n'}
		}
		picked.names = append(picked.names, path)
		picked.members = append(picked.members, v)
	}
	return picked
}

// flat is an object whose inner objects are members of their own, under paths
// as pick takes them.
func (t *tree) flat() *tree {
	f := &tree{kind: '{'}
	for i, m := range t.members {
		if m.kind != '{' {
			f.set(t.names[i], m)
			continue
		}
		inner := m.flat()
		for j, name := range inner.names {
			f.set(t.names[i]+"."+name, inner.members[j])
		}
	}
	return f
}

// appendJSON writes JSON; step "" on one line.
func (t *tree) appendJSON(b []byte, indent, step string) []byte {
	newline := func(indent string) {
		if step != "" {
			b = append(append(b, '\n'), indent...)
		}
	}
	switch t.kind {
	case '{', '[':
		b = append(b, t.kind)
		inner := indent + step
		for i, m := range t.members {
			if i > 0 {
				b = append(b, ',')
			}
			newline(inner)
			if t.kind == '{' {
				b = append(appendText(b, t.names[i]), ':')
				if step != "" {
					b = append(b, ' ')
				}
			}
			b = m.appendJSON(b, inner, step)
		}
		if len(t.members) > 0 {
			newline(indent)
		}
		return append(b, t.kind+2) // } and ] come two behind { and [
	case '"':
		return appendText(b, t.text)
	case 'n':
		return append(b, "null"...)
	}
	return append(b, t.text...)
}

func appendText(b []byte, s string) []byte {
	var w bytes.Buffer
	e := json.NewEncoder(&w)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // a string always encodes
		panic(err)
	}
	return append(b, bytes.TrimSuffix(w.Bytes(), []byte("\n"))...)
}

// appendYAML writes block YAML (1.2). Texts that could be read as anything else
// stand in double quotes, whose escapes YAML takes from JSON.
func (t *tree) appendYAML(b []byte, indent string) []byte {
	switch {
	case t.kind == '{' && len(t.members) > 0:
		for i, m := range t.members {
			if i > 0 {
				b = append(b, indent...)
			}
			b = append(appendYAMLText(b, t.names[i]), ':')
			b = m.appendYAMLBelow(b, indent+"  ")
		}
		return b
	case t.kind == '[' && len(t.members) > 0:
		for i, m := range t.members {
			if i > 0 {
				b = append(b, indent...)
			}
			b = append(b, "- "...)
			b = m.appendYAML(b, indent+"  ")
			if !m.block() {
				b = append(b, '\n')
			}
		}
		return b
	case t.kind == '"':
		return appendYAMLText(b, t.text)
	}
	return t.appendJSON(b, "", "")
}

func (t *tree) block() bool { return (t.kind == '{' || t.kind == '[') && len(t.members) > 0 }

func (t *tree) appendYAMLBelow(b []byte, indent string) []byte {
	if t.block() {
		b = append(append(b, '\n'), indent...)
		return t.appendYAML(b, indent)
	}
	return append(t.appendYAML(append(b, ' '), indent), '\n')
}

func appendYAMLText(b []byte, s string) []byte {
	plain := s != ""
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || !(c >= '0' && c <= '9') && c != '-' && c != '/' && c != '.') {
			plain = false
		}
	}
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		plain = false
	}
	if plain {
		return append(b, s...)
	}
	return appendText(b, s)
}
