package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"giro"
	"giro/client"
)

const (
	bulkRows  = 500             // in one request: a commit of some tens of milliseconds
	bulkBytes = 900 << 10       // of one request, below the API's 1 MiB
	bulkFile  = 256 << 20       // of a file that is read
	bulkTell  = 5 * time.Second // between two lines of progress where nobody watches
)

// bulkCommand makes the payouts or transfers of a file. What keeps a line from
// being made twice is its reference, its own or one made of what it says: an
// idempotency key would hold for a request alone, and a line that is mended
// changes the request of all the lines beside it.
type bulkCommand struct {
	apiFlags
	File         string            `arg:"" help:"CSV with a head line, JSON lines or a JSON array; - is standard input. Columns are named like the flags of create; JSON like the members of the API."`
	Map          map[string]string `help:"A column of the file and what it is: Valor=amount; several. Nothing behind the sign: it is left out." placeholder:"COLUMN=NAME"`
	Currency     string            `help:"Of lines that name none. ISO 4217." placeholder:"CODE"`
	DecimalComma bool              `help:"Amounts are written 1.234,56."`
	Again        string            `name:"run" help:"A name of this run. Lines without a reference are made once for good; another run makes them again." placeholder:"NAME"`
	SkipInvalid  bool              `help:"Send the other lines where some cannot be read."`
	Atomic       bool              `help:"All or none, of at most 1,000."`
	DryRun       bool              `help:"Read and check the file, and send nothing."`
	waiting
	asking
}

// bulkLine is one payout or transfer of a file, and what became of it.
type bulkLine struct {
	number    int // in the file, from 1
	body      *tree
	amount    int64
	currency  string
	reference string
	state     string // invalid, unsent, unknown (sent, and the answer is lost), made, existed, refused
	id        string
	status    string
	exit      int   // of a refusal
	err       error // of an invalid or refused one
}

var bulkColumns = []column{plain("LINE", "line"), plain("STATE", "state"), plain("ID", "id"), amount("AMOUNT", "amount", "currency"), wide(plain("CURRENCY", "currency")), status, text("REFERENCE", "reference"), text("REASON", "error.code"), text("DETAIL", "error.detail"), wide(plain("AT", "error.param"))}

func (l *bulkLine) row() *tree {
	null := &tree{kind: 'n'}
	words := func(v string) *tree {
		if v == "" {
			return null
		}
		return &tree{kind: '"', text: v}
	}
	row, amount, said := &tree{kind: '{'}, null, null
	if l.amount > 0 {
		amount = &tree{kind: '0', text: strconv.FormatInt(l.amount, 10)}
	}
	var refusal *client.Error
	switch {
	case errors.As(l.err, &refusal):
		said = &tree{kind: '{'}
		said.set("code", words(refusal.Code))
		said.set("param", words(refusal.Param))
		said.set("detail", words(refusal.Detail))
	case l.err != nil:
		said = record("detail", l.err.Error())
	}
	row.set("line", &tree{kind: '0', text: strconv.Itoa(l.number)})
	row.set("state", words(l.state))
	row.set("id", words(l.id))
	row.set("amount", amount)
	row.set("currency", words(strings.ToLower(l.currency)))
	row.set("status", words(l.status))
	row.set("reference", words(l.reference))
	row.set("error", said)
	return row
}

func (c *bulkCommand) Run(s *session, n *noun) error {
	lines, err := c.read(s, n)
	if err != nil {
		return err
	}
	var send, bad []*bulkLine
	for _, l := range lines {
		if l.err != nil {
			bad = append(bad, l)
		} else {
			send = append(send, l)
		}
	}
	if len(bad) > 0 && !c.SkipInvalid && !c.DryRun {
		return exitError{exitInvalid, unreadable(bad)}
	}
	if c.Atomic && len(send) > giro.BulkMax {
		return exitError{exitUsage, fmt.Errorf("--atomic takes at most %d lines, and there are %d", giro.BulkMax, len(send))}
	}
	total, err := totals(s.printer, send)
	if err != nil {
		return err
	}
	question := "move " + total + " in " + counted(len(send), n.one)
	if n.one == "payout" {
		question = "pay " + total + " to " + counted(len(send), "recipient")
	}
	var failed error
	if len(send) > 0 && !c.DryRun {
		if err := s.confirmBy(c.asking, question, strconv.Itoa(len(send))); err != nil {
			return err
		}
		failed = c.send(s, n, send)
	}
	rows := s.table(bulkColumns)
	for _, l := range lines {
		if s.form == "id" && l.id == "" {
			continue
		}
		if err := rows.row(l.row()); err != nil {
			return err
		}
	}
	if err := rows.end(); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	if c.DryRun {
		if s.form == "table" {
			s.note("it would %s", question)
		}
		if len(bad) > 0 {
			return exitError{exitInvalid, unreadable(bad)}
		}
		return nil
	}
	return c.judge(s, lines)
}

// judge says what became of all, and how the command ends.
func (c *bulkCommand) judge(s *session, lines []*bulkLine) error {
	count := map[string]int{}
	declined := 0
	worst := 0
	for _, l := range lines {
		count[l.state]++
		if worst == 0 {
			worst = l.exit
		}
		if l.status == "failed" || l.status == "canceled" || l.status == "returned" {
			declined++
		}
	}
	done := count["made"] + count["existed"]
	said := fmt.Sprintf("%d made", count["made"])
	for _, state := range []string{"existed", "refused", "invalid"} {
		if count[state] > 0 {
			said += fmt.Sprintf(", %d %s", count[state], state)
		}
	}
	if c.Wait && declined > 0 {
		said += fmt.Sprintf("; of %d the money did not move or came back", declined)
	}
	switch {
	case done == len(lines) && (!c.Wait || declined == 0):
		if s.form == "table" {
			s.note("%s", said)
		}
		return nil
	case done == 0 && worst > 0:
		return exitError{worst, errors.New(said)}
	case done == 0:
		return exitError{exitInvalid, errors.New(said)}
	case c.Wait && declined == done && done == len(lines):
		return exitError{exitDeclined, errors.New(said)}
	}
	return exitError{exitPartial, errors.New(said)}
}

// unreadable names the lines that cannot be sent, the first of them.
func unreadable(bad []*bulkLine) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s cannot be read, nothing was sent", counted(len(bad), "line"))
	for i, l := range bad {
		if i == 10 {
			b.WriteString("; …")
			break
		}
		fmt.Fprintf(&b, "; line %d: %v", l.number, l.err)
	}
	return errors.New(b.String())
}

// counted is "1 payout", "1,198 payouts".
func counted(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return group(strconv.Itoa(n), "en") + " " + one + "s"
}

// totals are the sums of the lines, by currency.
func totals(p *printer, lines []*bulkLine) (string, error) {
	sums := map[string]int64{}
	var order []string
	for _, l := range lines {
		currency := strings.ToUpper(l.currency)
		if _, seen := sums[currency]; !seen {
			order = append(order, currency)
		}
		if l.amount > math.MaxInt64-sums[currency] {
			return "", exitError{exitInvalid, fmt.Errorf("the sum of the amounts in %s is too large", currency)}
		}
		sums[currency] += l.amount
	}
	parts := []string{}
	for _, currency := range order {
		parts = append(parts, p.spell(sums[currency], currency))
	}
	if len(parts) == 0 {
		return "nothing", nil
	}
	return strings.Join(parts, " and "), nil
}

// send makes the lines, some hundreds with a request, and waits for what becomes
// of them where that was asked for. An error leaves the lines that were not
// reached as they were read.
func (c *bulkCommand) send(s *session, n *noun, lines []*bulkLine) error {
	plural := n.one + "s"
	made, refused := 0, 0
	told := s.now()
	tell := func(ended bool) {
		text := fmt.Sprintf("%d of %d %s: %d made, %d refused", made+refused, len(lines), plural, made, refused)
		switch {
		case s.o.Quiet:
		case s.errTTY && ended:
			fmt.Fprintf(s.err, "\r\x1b[K")
		case s.errTTY:
			fmt.Fprintf(s.err, "\r\x1b[K%s", text)
		case !ended && s.now().Sub(told) > bulkTell:
			told = s.now()
			fmt.Fprintln(s.err, text)
		}
	}
	defer tell(true)
	most := bulkRows
	if c.Atomic {
		most = giro.BulkMax
	}
	for left := lines; len(left) > 0; {
		body := append([]byte(nil), `{"`+plural+`":[`...)
		part := 0
		for part < len(left) && part < most {
			begun := len(body)
			if part > 0 {
				body = append(body, ',')
			}
			body = left[part].body.appendJSON(body, "", "")
			if len(body) > bulkBytes && part > 0 && !c.Atomic {
				body = body[:begun]
				break
			}
			part++
		}
		body = append(body, ']')
		if c.Atomic {
			body = append(body, `,"atomic":true`...)
		}
		v, _, err := s.send(client.Request{Method: http.MethodPost, Path: n.path + "/bulk", Body: json.RawMessage(append(body, '}'))})
		if err != nil {
			return c.lost(s, left, part, plural, err)
		}
		results := v.at("results")
		if results == nil || len(results.members) != part {
			return errNoJSON
		}
		for i, r := range results.members {
			if left[i].answered(r, n.one, "/"+plural+"/"+strconv.Itoa(i)); left[i].state == "refused" {
				refused++
			} else {
				made++
			}
		}
		left = left[part:]
		tell(false)
	}
	if !c.Wait || n.one == "transfer" { // which is final at once, or waits for its owner
		return nil
	}
	for _, l := range lines {
		if l.status != "pending" && l.status != "onhold" {
			continue
		}
		if err := s.await(n, l.id); err != nil {
			return err
		}
		v, _, err := s.read(n.at(l.id), nil)
		if err != nil {
			return err
		}
		l.status = v.at("status").string()
	}
	return nil
}

// lost says what a request that was refused as a whole, or not answered, means
// for the lines.
func (c *bulkCommand) lost(s *session, left []*bulkLine, part int, plural string, err error) error {
	var refusal *client.Error
	var unanswered *client.Unanswered
	if errors.As(err, &unanswered) && unanswered.Sent {
		for _, l := range left[:part] {
			l.state = "unknown"
		}
	}
	if errors.As(err, &refusal) {
		rest, ok := strings.CutPrefix(refusal.Param, "/"+plural+"/")
		at, _, _ := strings.Cut(rest, "/")
		if i, e := strconv.Atoi(at); ok && e == nil && i >= 0 && i < len(left) {
			left[i].state, left[i].err = "refused", refusal
			return fmt.Errorf("line %d, and so nothing was made: %w", left[i].number, err)
		}
	}
	if s.errTTY {
		fmt.Fprintln(s.err)
	}
	s.note("giro: stopped at line %d; run the same command again to go on: what was made is not made twice", left[0].number)
	return err
}

// answered takes the result of one line; at is where it stood in the request.
func (l *bulkLine) answered(r *tree, one, at string) {
	code := int(r.at("status").number())
	if object := r.at(one); object != nil {
		l.state = "made"
		if code == http.StatusOK {
			l.state = "existed"
		}
		l.id, l.status, l.reference = object.at("id").string(), object.at("status").string(), object.at("reference").string()
		return
	}
	l.state = "refused"
	e := &client.Error{Status: code, Code: r.at("error.code").string(), Detail: r.at("error.detail").string(), Param: strings.TrimPrefix(r.at("error.param").string(), at)}
	l.err, l.exit = e, exitOf(context.Background(), e)
}

// read reads the file. Lines that cannot be sent carry their error.
func (c *bulkCommand) read(s *session, n *noun) ([]*bulkLine, error) {
	text, err := readInput(s.in, c.File, bulkFile)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) {
		return nil, exitError{exitUsage, errors.New("the file is not UTF-8: save it as CSV UTF-8")}
	}
	var lines []*bulkLine
	switch first := bytes.TrimLeft(text, " \t\r\n"); {
	case len(first) == 0:
	case first[0] == '[':
		list, err := parseTree(text)
		if err != nil {
			return nil, exitError{exitUsage, errors.New("the file begins like a JSON array and is none")}
		}
		for i, item := range list.members {
			lines = append(lines, &bulkLine{number: i + 1, body: item})
		}
	case first[0] == '{':
		number := 0
		for line := range bytes.Lines(text) {
			number++
			if line = bytes.TrimSpace(line); len(line) == 0 {
				continue
			}
			l := &bulkLine{number: number}
			if l.body, l.err = parseTree(line); l.err != nil {
				l.err = errors.New("this is not JSON")
			}
			lines = append(lines, l)
		}
	default:
		if lines, err = c.readCSV(string(text), n); err != nil {
			return nil, err
		}
	}
	if len(lines) == 0 {
		return nil, exitError{exitUsage, errors.New("the file holds no lines")}
	}
	c.identify(lines)
	return lines, nil
}

// identify finishes the lines: their currency, amount and reference.
func (c *bulkCommand) identify(lines []*bulkLine) {
	same := map[string]int{}
	used := map[string]int{}
	for _, l := range lines {
		if l.state = "unsent"; l.err == nil {
			l.err = c.finish(l, same)
		}
		if earlier, twice := used[l.reference]; l.err == nil && twice {
			l.err = fmt.Errorf("the reference %q is that of line %d too", l.reference, earlier)
		}
		if l.err != nil {
			l.state = "invalid"
			continue
		}
		used[l.reference] = l.number
	}
}

func (c *bulkCommand) finish(l *bulkLine, same map[string]int) error {
	if l.body.kind != '{' {
		return errors.New("this is no object")
	}
	if l.body.at("currency").string() == "" && c.Currency != "" {
		l.body.put("currency", &tree{kind: '"', text: c.Currency})
	}
	l.currency = l.body.at("currency").string()
	amount := l.body.at("amount")
	if amount == nil || amount.kind != '0' || amount.number() <= 0 || strconv.FormatInt(amount.number(), 10) != amount.text {
		return errors.New("the amount is not a number of minor units greater than 0")
	}
	l.amount = amount.number()
	if l.currency == "" {
		return errors.New("there is no currency: name one with --currency")
	}
	if l.reference = l.body.at("reference").string(); l.reference != "" {
		return nil
	}
	said := sha256.Sum256(append([]byte(c.Again+"\n"), l.body.appendJSON(nil, "", "")...))
	l.reference = firstOf(c.Again, "bulk") + "-" + hex.EncodeToString(said[:8])
	if same[l.reference]++; same[l.reference] > 1 {
		l.reference += "-" + strconv.Itoa(same[l.reference]) // lines that say the same are as many
	}
	l.body.put("reference", &tree{kind: '"', text: l.reference})
	return nil
}

// bulkFields is what a line of CSV can say: the flags of create.
type bulkFields interface {
	// body is what the API is sent; the sum and to whom, for people.
	body() (body any, minor int64, to string, err error)
}

// readCSV reads lines whose columns are named like the flags of create.
func (c *bulkCommand) readCSV(text string, n *noun) ([]*bulkLine, error) {
	fresh := func() bulkFields { return &payoutFields{} }
	if n.one == "transfer" {
		fresh = func() bulkFields { return &transferFields{} }
	}
	fields := fresh()
	parser, err := kong.New(fields, kong.NoDefaultHelp())
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	var names []string
	for _, f := range parser.Model.Flags {
		names = append(names, f.Name)
		for _, name := range append(f.Aliases, f.Name) {
			known[name] = true
		}
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = separator(text), -1, true
	head, err := r.Read()
	if err != nil {
		return nil, exitError{exitUsage, fmt.Errorf("the head line: %w", err)}
	}
	columns := make([]string, len(head))
	for i, name := range head {
		name = strings.TrimSpace(name)
		as, mapped := c.Map[name]
		if mapped && as == "" {
			continue
		}
		if !mapped {
			as = name
		}
		columns[i] = strings.NewReplacer("_", "-", " ", "-").Replace(strings.ToLower(as))
		if !known[columns[i]] {
			return nil, exitError{exitUsage, fmt.Errorf("%q is no column of a %s: they are %s. Name it with --map %q, or leave it out with --map %q", name, n.one, strings.Join(names, ", "), name+"=…", name+"=")}
		}
	}
	var lines []*bulkLine
	for {
		record, err := r.Read()
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return nil, exitError{exitUsage, err}
		}
		number, _ := r.FieldPos(0)
		l := &bulkLine{number: number}
		lines = append(lines, l)
		if len(record) > len(columns) {
			l.err = fmt.Errorf("it has %d fields, the head line %d", len(record), len(columns))
			continue
		}
		l.body, l.err = c.readRecord(parser, fields, columns, record)
	}
}

func (c *bulkCommand) readRecord(parser *kong.Kong, fields bulkFields, columns, record []string) (*tree, error) {
	var args []string
	currency := false
	for i, v := range record {
		if v = strings.TrimSpace(v); v == "" || columns[i] == "" {
			continue
		}
		if columns[i] == "amount" && c.DecimalComma {
			v = strings.NewReplacer(".", "", ",", ".").Replace(v)
		}
		currency = currency || columns[i] == "currency"
		args = append(args, "--"+columns[i]+"="+v)
	}
	if !currency && c.Currency != "" {
		args = append(args, "--currency="+c.Currency)
	}
	plainly := func(err error) error { return errors.New(strings.ReplaceAll(err.Error(), "--", "")) }
	if _, err := parser.Parse(args); err != nil {
		return nil, plainly(err)
	}
	body, _, _, err := fields.body()
	if err != nil {
		return nil, plainly(err)
	}
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return parseTree(b)
}

// separator is what stands most often in the head line, of those that separate.
func separator(text string) rune {
	head, _, _ := strings.Cut(text, "\n")
	best := ','
	for _, r := range []rune{';', '\t'} {
		if strings.Count(head, string(r)) > strings.Count(head, string(best)) {
			best = r
		}
	}
	return best
}
