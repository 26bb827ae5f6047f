package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"giro/money"
)

// output are the flags of commands that print what the API answers.
type output struct {
	Output    string   `short:"o" enum:",table,json,jsonl,csv,yaml,id" default:"" help:"table, json, jsonl, csv, yaml or id." placeholder:"FORM" group:"Output"`
	JSON      bool     `name:"json" help:"The same as -o json." group:"Output"`
	Fields    []string `help:"Only these members: a,b.c." placeholder:"A,B.C" group:"Output"`
	NoHeaders bool     `help:"No head line in tables and CSV." group:"Output"`
	Wide      bool     `help:"More columns, and nothing cut off." group:"Output"`
	Quiet     bool     `short:"q" help:"Nothing beside the data." group:"Output"`
	NoColor   bool     `help:"No colours; also NO_COLOR and TERM=dumb." group:"Output"`
	Lang      string   `enum:",en,pt,es" default:"" help:"How a person reads amounts: en, pt or es; from LANG if absent." placeholder:"LANG" group:"Output"`
	TZ        string   `name:"tz" help:"Time zone of the times a person reads, America/Sao_Paulo." placeholder:"ZONE" group:"Output"`
	UTC       bool     `name:"utc" help:"Times in UTC." group:"Output"`
}

// printer writes answers in one form.
type printer struct {
	*terminal
	o      *output
	form   string
	colour bool
	people bool // a person reads it: amounts, times and states in words
	lang   string
}

func (o *output) printer(t *terminal) (*printer, error) {
	p := &printer{terminal: t, o: o, form: o.Output, lang: o.Lang}
	if o.JSON {
		p.form = "json"
	}
	if p.form == "" {
		p.form = "table"
	}
	p.people = p.form == "table" && t.outTTY
	dumb := t.getenv("NO_COLOR") != "" || t.getenv("TERM") == "dumb" || o.NoColor
	force := t.getenv("CLICOLOR_FORCE")
	p.colour = p.people && !dumb || p.form == "table" && force != "" && force != "0" && !o.NoColor
	if p.lang == "" {
		p.lang = "en"
		for _, name := range []string{"LC_ALL", "LC_MONETARY", "LANG"} {
			if v := t.getenv(name); v != "" {
				if l := v[:min(2, len(v))]; l == "pt" || l == "es" {
					p.lang = l
				}
				break
			}
		}
	}
	if o.UTC {
		t.zone = time.UTC
	} else if o.TZ != "" {
		zone, err := time.LoadLocation(o.TZ)
		if err != nil {
			return nil, exitError{exitUsage, fmt.Errorf("--tz %s: there is no such time zone", o.TZ)}
		}
		t.zone = zone
	}
	return p, nil
}

// note tells a person something beside the data.
func (p *printer) note(format string, args ...any) {
	if !p.o.Quiet {
		fmt.Fprintf(p.err, format+"\n", args...)
	}
}

// column is one column of a table. cell writes it for a person or a program.
type column struct {
	head string
	cell func(p *printer, row *tree) string
	wide bool // shown with --wide alone
	text bool // may be cut off
}

func member(path string) func(*printer, *tree) string {
	return func(_ *printer, row *tree) string { return row.at(path).string() }
}

func plain(head, path string) column { return column{head: head, cell: member(path)} }
func text(head, path string) column  { return column{head: head, cell: member(path), text: true} }

func wide(c column) column {
	c.wide = true
	return c
}

// amount is a column of minor units whose currency is another member.
func amount(head, path, currency string) column {
	return column{head: head, cell: func(p *printer, row *tree) string {
		return p.money(row.at(path), row.at(currency).string())
	}}
}

// moment is a column of Unix seconds.
func moment(head, path string) column {
	return column{head: head, cell: func(p *printer, row *tree) string {
		v := row.at(path)
		if v == nil || v.kind != '0' || v.number() == 0 {
			return ""
		}
		return p.time(time.Unix(v.number(), 0))
	}}
}

var statusMarks = map[string][2]string{ // mark and ANSI colour
	"succeeded": {"✔", "32"}, "failed": {"✖", "31"}, "pending": {"●", "33"}, "onhold": {"▲", "35"},
	"canceled": {"○", "90"}, "returned": {"↩", "36"}, "refunded": {"↩", "36"},
}

// status is the column of a movement's status; in doubt is said beside it.
var status = column{head: "STATUS", cell: func(p *printer, row *tree) string {
	s := row.at("status").string()
	if !p.people {
		return s
	}
	mark, known := statusMarks[s]
	if row.at("in_doubt").string() == "true" {
		s += " (in doubt)"
	}
	if !known {
		return s
	}
	return p.paint(mark[0]+" "+s, mark[1])
}}

func (p *printer) paint(s, colour string) string {
	if !p.colour {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

// symbols are how people write some currencies; the others by their code.
var symbols = map[string]string{"BRL": "R$", "USD": "US$", "EUR": "€", "MXN": "MX$", "PEN": "S/"}

// money writes minor units: exactly, "1500.00", for programs; "R$ 1.500,00" for
// people.
func (p *printer) money(minor *tree, currency string) string {
	if minor == nil || minor.kind != '0' {
		return ""
	}
	c, err := money.ParseCurrency(currency)
	if err != nil {
		return minor.text
	}
	if !p.people {
		return money.Format(minor.number(), c)
	}
	return p.spell(minor.number(), currency)
}

// spell writes minor units as people do: "R$ 1.500,00".
func (p *printer) spell(minor int64, currency string) string {
	c, err := money.ParseCurrency(currency)
	if err != nil {
		return strconv.FormatInt(minor, 10) + " " + currency
	}
	symbol := symbols[string(c)]
	if symbol == "" {
		symbol = string(c)
	}
	return symbol + " " + group(money.Format(minor, c), p.lang)
}

// group sets thousands apart as a language does.
func group(v, lang string) string {
	thousands, point := ",", "."
	if lang == "pt" || lang == "es" {
		thousands, point = ".", ","
	}
	sign := ""
	if rest, ok := strings.CutPrefix(v, "-"); ok {
		sign, v = "-", rest
	}
	whole, fraction, has := strings.Cut(v, ".")
	var b strings.Builder
	for i, d := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteString(thousands)
		}
		b.WriteRune(d)
	}
	if has {
		b.WriteString(point + fraction)
	}
	return sign + b.String()
}

// time writes an instant: RFC 3339 in UTC for programs; how long ago, or the
// day, for people.
func (p *printer) time(at time.Time) string {
	if !p.people {
		return at.UTC().Format(time.RFC3339)
	}
	ago := p.now().Sub(at)
	switch {
	case ago < -time.Minute || ago >= 7*24*time.Hour:
		return at.In(p.zone).Format("2006-01-02 15:04")
	case ago < time.Minute:
		return strconv.Itoa(max(int(ago/time.Second), 0)) + "s ago"
	case ago < time.Hour:
		return strconv.Itoa(int(ago/time.Minute)) + "m ago"
	case ago < 24*time.Hour:
		return strconv.Itoa(int(ago/time.Hour)) + "h ago"
	}
	return strconv.Itoa(int(ago/(24*time.Hour))) + "d ago"
}

// object prints one object.
func (p *printer) object(v *tree, columns []column) error {
	switch p.form {
	case "json", "jsonl":
		return p.json(v.pick(p.o.Fields), p.form == "json" && p.outTTY)
	case "yaml":
		b := v.pick(p.o.Fields).appendYAML(nil, "")
		_, err := p.out.Write(append(bytes.TrimRight(b, "\n"), '\n'))
		return err
	case "id":
		return p.id(v)
	case "csv":
		t := p.table(columns)
		t.row(v)
		return t.end()
	}
	picked := v.pick(p.o.Fields)
	if picked.kind != '{' {
		_, err := fmt.Fprintln(p.out, oneLine(picked.string()))
		return err
	}
	if !p.people {
		for i, name := range picked.names {
			if _, err := fmt.Fprintf(p.out, "%s\t%s\n", oneLine(name), oneLine(picked.members[i].string())); err != nil {
				return err
			}
		}
		return nil
	}
	picked = picked.flat()
	var lines [][2]string
	for i, name := range picked.names {
		m := picked.members[i]
		if m.string() == "" && len(p.o.Fields) == 0 && !p.o.Wide {
			continue // what is not set, a person need not read
		}
		lines = append(lines, [2]string{oneLine(name), oneCell(p.value(name, m, v))})
	}
	return p.block(lines)
}

// block prints names and values, one below the other.
func (p *printer) block(lines [][2]string) error {
	longest := 0
	for _, l := range lines {
		longest = max(longest, shown(l[0]))
	}
	for _, l := range lines {
		if _, err := fmt.Fprintf(p.out, "%s%s%s\n", l[0], strings.Repeat(" ", longest-shown(l[0])+2), l[1]); err != nil {
			return err
		}
	}
	return nil
}

// value writes a member of an object for people: amounts of the object's own
// currency in words.
func (p *printer) value(name string, v, of *tree) string {
	switch name {
	case "amount", "amount_captured", "amount_refunded", "fee", "balance", "available", "pending", "reserved", "returns":
		if currency := of.at("currency").string(); currency != "" && v.kind == '0' {
			return p.money(v, currency)
		}
	case "status":
		return status.cell(p, of)
	case "created":
		if v.kind == '0' {
			return time.Unix(v.number(), 0).In(p.zone).Format("2006-01-02 15:04:05 -07:00")
		}
	}
	return v.string()
}

func (p *printer) json(v *tree, indented bool) error {
	step := ""
	if indented {
		step = "  "
	}
	_, err := p.out.Write(append(v.appendJSON(nil, "", step), '\n'))
	return err
}

func (p *printer) id(v *tree) error {
	id := v.at("id").string()
	if id == "" {
		return exitError{exitUsage, fmt.Errorf("this has no id; choose another --output")}
	}
	_, err := fmt.Fprintln(p.out, id)
	return err
}

// oneLine keeps what is data from moving the cursor or breaking a table.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, s)
}

// rows prints objects one after the other, as they come where the form allows.
type rows struct {
	p       *printer
	columns []column
	csv     *csv.Writer
	lines   [][]string // of a table for people, printed together
	count   int
	err     error
}

func (p *printer) table(columns []column) *rows {
	t := &rows{p: p}
	for _, c := range columns {
		if !c.wide || p.o.Wide {
			t.columns = append(t.columns, c)
		}
	}
	if len(p.o.Fields) > 0 {
		t.columns = t.columns[:0]
		for _, path := range p.o.Fields {
			t.columns = append(t.columns, text(strings.ToUpper(path), path))
		}
	}
	if p.form == "csv" {
		t.csv = csv.NewWriter(p.out)
		if !p.o.NoHeaders {
			heads := make([]string, len(t.columns))
			for i, c := range t.columns {
				heads[i] = strings.ToLower(strings.ReplaceAll(c.head, " ", "_"))
			}
			t.err = t.csv.Write(heads)
		}
	}
	return t
}

func (t *rows) write(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.p.out, format, args...)
	}
}

func (t *rows) row(v *tree) error {
	p := t.p
	t.count++
	switch p.form {
	case "json":
		if t.count == 1 {
			t.write("[")
		} else {
			t.write(",")
		}
		if p.outTTY {
			t.write("\n  %s", v.pick(p.o.Fields).appendJSON(nil, "  ", "  "))
		} else {
			t.write("%s", v.pick(p.o.Fields).appendJSON(nil, "", ""))
		}
	case "jsonl":
		t.write("%s\n", v.pick(p.o.Fields).appendJSON(nil, "", ""))
	case "yaml":
		b := v.pick(p.o.Fields).appendYAML([]byte("- "), "  ")
		t.write("%s\n", strings.TrimRight(string(b), "\n"))
	case "id":
		if t.err == nil {
			t.err = p.id(v)
		}
	default:
		cells := make([]string, len(t.columns))
		for i, c := range t.columns {
			cells[i] = oneCell(c.cell(p, v))
			if t.csv != nil {
				cells[i] = guarded(cells[i])
			}
		}
		switch {
		case t.csv != nil:
			if t.err == nil {
				t.err = t.csv.Write(cells)
			}
		case p.people:
			t.lines = append(t.lines, cells)
		default:
			t.write("%s\n", strings.Join(cells, "\t"))
		}
	}
	return t.err
}

// list prints a whole list.
func (p *printer) list(items []*tree, columns []column) error {
	if len(items) == 0 && p.people {
		p.note("there are none")
	}
	rows := p.table(columns)
	for _, item := range items {
		if err := rows.row(item); err != nil {
			return err
		}
	}
	return rows.end()
}

// painted is what paint makes of a text, and nothing else: data that begins like
// it must not move the cursor.
var painted = regexp.MustCompile("^\x1b\\[[0-9]+m([^\x1b]*)\x1b\\[0m$")

// oneCell keeps a painted cell's own colours.
func oneCell(s string) string {
	if m := painted.FindStringSubmatch(s); m != nil && m[1] == oneLine(m[1]) {
		return s
	}
	return oneLine(s)
}

// guarded puts an apostrophe before what a spreadsheet would run as a formula.
// A negative number is a number.
func guarded(s string) string {
	if s == "" || !strings.ContainsRune("=+-@", rune(s[0])) {
		return s
	}
	if s[0] == '-' {
		if strings.Trim(s[1:], "0123456789.") == "" && len(s) > 1 {
			return s
		}
	}
	return "'" + s
}

// end finishes the rows.
func (t *rows) end() error {
	p := t.p
	switch {
	case p.form == "json":
		switch {
		case t.count == 0:
			t.write("[]\n")
		case p.outTTY:
			t.write("\n]\n")
		default:
			t.write("]\n")
		}
	case p.form == "yaml" && t.count == 0:
		t.write("[]\n")
	case t.csv != nil:
		t.csv.Flush()
		if t.err == nil {
			t.err = t.csv.Error()
		}
	case p.people:
		t.align()
	}
	return t.err
}

// shown is how many characters of a cell are seen.
func shown(s string) int {
	n := 0
	for len(s) > 0 {
		if strings.HasPrefix(s, "\x1b[") {
			if end := strings.IndexByte(s, 'm'); end > 0 {
				s = s[end+1:]
				continue
			}
		}
		_, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		n++
	}
	return n
}

// The least that columns are cut to: a text, and an id, of which the beginning
// tells when it was made.
const (
	textLeast = 8
	idLeast   = 12
)

// align prints the lines of a table in columns. Where they do not fit the
// terminal, empty columns go and the gaps narrow, the longest texts are cut, then
// ids; where that is not enough, each line is a block of its own: an amount is
// never cut.
func (t *rows) align() {
	if len(t.lines) == 0 {
		return
	}
	p := t.p
	widths, gap := t.widths(), 3
	if p.width > 0 && !p.o.Wide {
		over := func() int {
			total := gap*(len(widths)-1) - p.width
			for _, n := range widths {
				total += n
			}
			return total
		}
		if over() > 0 {
			t.dropEmpty()
			widths = t.widths()
		}
		if over() > 0 {
			gap = 2
		}
		texts, all := t.least(widths)
		shrink(widths, texts, over())
		shrink(widths, all, over())
		if over() > 0 {
			t.blocks()
			return
		}
	}
	print := func(line []string, head bool) {
		var b strings.Builder
		for i, cell := range line {
			if shown(cell) > widths[i] {
				cell = cut(cell, widths[i])
			}
			if head {
				cell = p.paint(cell, "1")
			}
			b.WriteString(cell)
			if i < len(line)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-shown(cell)+gap))
			}
		}
		t.write("%s\n", strings.TrimRight(b.String(), " "))
	}
	if !p.o.NoHeaders {
		heads := make([]string, len(t.columns))
		for i, c := range t.columns {
			heads[i] = c.head
		}
		print(heads, true)
	}
	for _, line := range t.lines {
		print(line, false)
	}
}

// widths are what the columns need.
func (t *rows) widths() []int {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		if !t.p.o.NoHeaders {
			widths[i] = shown(c.head)
		}
		for _, line := range t.lines {
			widths[i] = max(widths[i], shown(line[i]))
		}
	}
	return widths
}

// least are the widths below which columns are not cut: at first texts alone, and
// to twice their least.
func (t *rows) least(widths []int) (texts, all []int) {
	texts, all = slices.Clone(widths), slices.Clone(widths)
	for i, c := range t.columns {
		if c.text {
			texts[i], all[i] = min(widths[i], 2*textLeast), min(widths[i], textLeast)
		} else if !slices.ContainsFunc(t.lines, func(line []string) bool { return line[i] != "" && !looksLikeID.MatchString(line[i]) }) {
			all[i] = min(widths[i], max(idLeast, shown(c.head)))
		}
	}
	return texts, all
}

// shrink takes over characters away, from the widest column that has some to
// give.
func shrink(widths, least []int, over int) {
	for ; over > 0; over-- {
		widest := -1
		for i := range widths {
			if widths[i] > least[i] && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// dropEmpty takes out the columns in which no line says anything.
func (t *rows) dropEmpty() {
	for i := len(t.columns) - 1; i > 0; i-- {
		if !slices.ContainsFunc(t.lines, func(line []string) bool { return line[i] != "" }) {
			t.columns = slices.Delete(slices.Clone(t.columns), i, i+1)
			for n := range t.lines {
				t.lines[n] = slices.Delete(t.lines[n], i, i+1)
			}
		}
	}
}

// looksLikeID is an id of giro or a bare UUID.
var looksLikeID = regexp.MustCompile(`^([a-z]{2,4}_[0-9a-z]{26}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

// cut keeps the beginning of a cell, n characters with the mark that there is
// more, and its colour.
func cut(cell string, n int) string {
	if m := painted.FindStringSubmatchIndex(cell); m != nil {
		return cell[:m[2]] + cut(cell[m[2]:m[3]], n) + cell[m[3]:]
	}
	return string([]rune(cell)[:n-1]) + "…"
}

// blocks prints each line as names and values, for a terminal that is too narrow
// for a table.
func (t *rows) blocks() {
	for n, line := range t.lines {
		if n > 0 {
			t.write("\n")
		}
		var lines [][2]string
		for i, cell := range line {
			if cell != "" {
				lines = append(lines, [2]string{t.p.paint(strings.ToLower(t.columns[i].head), "1"), cell})
			}
		}
		if t.err == nil {
			t.err = t.p.block(lines)
		}
	}
}
