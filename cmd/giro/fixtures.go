package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"giro/client"
)

type fixturesCommand struct {
	Run fixturesRunCommand `cmd:"" help:"Send the requests of a file, one after the other; later ones can use what earlier ones answered."`
}

// fixturesRunCommand sends {"fixtures":[{"name","method","path","body"}]}. In
// texts ${name:path} is what an earlier request answered, ${env:NAME} a
// variable; ${…|else} has another text where there is none.
type fixturesRunCommand struct {
	apiFlags
	asking
	File     string   `arg:"" help:"JSON: {\"fixtures\":[{\"name\",\"method\",\"path\",\"body\"}]}; - is standard input. $${name:id} stands for what an earlier one answered, $${env:NAME|else} for a variable."`
	Override []string `sep:"none" help:"A member of a body: ana:email=ana@example.com." placeholder:"NAME:PATH=VALUE"`
}

// fixture is one request of a file.
type fixture struct {
	name, method, path string
	body               *tree
	simulate           string
}

func (c *fixturesRunCommand) Run(s *session) error {
	list, err := c.read(s)
	if err != nil {
		return err
	}
	if err := s.confirm(c.asking, fmt.Sprintf("send %d requests of %s", len(list), c.File)); err != nil {
		return err
	}
	rows := s.table([]column{plain("NAME", "name"), plain("METHOD", "method"), text("PATH", "path"), plain("STATUS", "status"), plain("ID", "answer.id")})
	answers := map[string]*tree{}
	var failed error
	for _, f := range list {
		if failed = c.send(s, &f, answers, rows); failed != nil {
			failed = fmt.Errorf("%s: %w", f.name, failed)
			break
		}
	}
	if failed != nil && rows.count == 0 {
		return failed
	}
	if err := rows.end(); err != nil {
		return err
	}
	return failed
}

// send sends one fixture and prints what it answered.
func (c *fixturesRunCommand) send(s *session, f *fixture, answers map[string]*tree, rows *rows) error {
	fill := filler{s, answers}
	path, err := fill.text(f.path)
	if err != nil {
		return err
	}
	path, query, err := requestPath(path)
	if err != nil {
		return err
	}
	r := client.Request{Method: f.method, Path: path, Query: query}
	if f.simulate != "" {
		r.Header = http.Header{"Giro-Simulate": {f.simulate}}
	}
	if f.body != nil {
		body, err := fill.tree(f.body)
		if err != nil {
			return err
		}
		r.Body = json.RawMessage(body.appendJSON(nil, "", ""))
	}
	v, a, err := s.send(r)
	if err != nil {
		return err
	}
	answers[f.name] = v
	row := record("name", f.name, "method", f.method, "path", path)
	row.set("status", &tree{kind: '0', text: strconv.Itoa(a.Status)})
	row.set("answer", v)
	if s.form == "id" {
		row = v
	}
	return rows.row(row)
}

// read reads and checks the whole file before anything is sent.
func (c *fixturesRunCommand) read(s *session) ([]fixture, error) {
	text, err := readInput(s.in, c.File, bulkFile)
	if err != nil {
		return nil, err
	}
	file, err := parseTree(text)
	if err != nil {
		return nil, exitError{exitUsage, fmt.Errorf("%s is not JSON", c.File)}
	}
	all := file.at("fixtures")
	if all == nil || all.kind != '[' || len(all.members) == 0 {
		return nil, exitError{exitUsage, fmt.Errorf("%s has no list of fixtures", c.File)}
	}
	var list []fixture
	for i, v := range all.members {
		f := fixture{name: firstOf(v.at("name").string(), strconv.Itoa(i+1)), method: strings.ToUpper(firstOf(v.at("method").string(), "post")), path: v.at("path").string(), simulate: v.at("simulate").string()}
		if f.body = v.at("body"); f.body == nil {
			f.body = v.at("params")
		}
		if f.body == nil && (f.method == http.MethodPost || f.method == http.MethodPut) {
			f.body = &tree{kind: '{'}
		}
		switch {
		case !slices.Contains(requestMethods, f.method):
			err = errMethod
		case f.path == "":
			err = errors.New("it has no path")
		case slices.ContainsFunc(list, func(g fixture) bool { return g.name == f.name }):
			err = errors.New("the name stands twice")
		}
		if err != nil {
			return nil, exitError{exitUsage, fmt.Errorf("fixture %s: %w", f.name, err)}
		}
		list = append(list, f)
	}
	return list, c.override(list)
}

// override sets the members that the command line names.
func (c *fixturesRunCommand) override(list []fixture) error {
	for _, o := range c.Override {
		name, assignment, _ := strings.Cut(o, ":")
		path, text, ok := strings.Cut(assignment, "=")
		i := slices.IndexFunc(list, func(f fixture) bool { return f.name == name })
		if !ok || path == "" || i < 0 || list[i].body == nil || list[i].body.kind != '{' {
			return exitError{exitUsage, fmt.Errorf("--override %s: write NAME:PATH=VALUE, NAME a fixture with a body", o)}
		}
		v := &tree{kind: '"', text: text}
		if parsed, err := parseTree([]byte(text)); err == nil {
			v = parsed
		}
		at := list[i].body
		names := strings.Split(path, ".")
		for _, name := range names[:len(names)-1] {
			next := at.member(name)
			if next == nil || next.kind != '{' {
				next = &tree{kind: '{'}
				at.put(name, next)
			}
			at = next
		}
		at.put(names[len(names)-1], v)
	}
	return nil
}

// filler puts answers and variables in their places.
type filler struct {
	s       *session
	answers map[string]*tree
}

// placeholder is ${name:path} or ${name:path|else}.
var placeholder = regexp.MustCompile(`\$\{([^:{}|]+):([^{}|]+)(\|[^{}]*)?\}`)

func (f *filler) value(match []string) (*tree, error) {
	var v *tree
	if match[1] == "env" {
		if text := f.s.getenv(match[2]); text != "" {
			v = &tree{kind: '"', text: text}
		}
	} else {
		v = f.answers[match[1]].at(match[2])
	}
	if v == nil && match[3] != "" {
		v = &tree{kind: '"', text: match[3][1:]}
	}
	if v == nil {
		return nil, exitError{exitUsage, fmt.Errorf("there is nothing for %s", match[0])}
	}
	return v, nil
}

func (f *filler) text(s string) (string, error) {
	var failed error
	s = placeholder.ReplaceAllStringFunc(s, func(m string) string {
		v, err := f.value(placeholder.FindStringSubmatch(m))
		if err != nil {
			failed = err
		}
		return v.string()
	})
	return s, failed
}

// tree fills a body. A text that is one placeholder becomes the value itself, a
// number where it is one.
func (f *filler) tree(v *tree) (*tree, error) {
	if v.kind == '"' {
		if m := placeholder.FindStringSubmatch(v.text); m != nil && m[0] == v.text {
			return f.value(m)
		}
		text, err := f.text(v.text)
		return &tree{kind: '"', text: text}, err
	}
	filled := &tree{kind: v.kind, text: v.text, names: v.names}
	for _, m := range v.members {
		one, err := f.tree(m)
		if err != nil {
			return nil, err
		}
		filled.members = append(filled.members, one)
	}
	return filled, nil
}
