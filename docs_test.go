package giro

import (
	"os"
	"strings"
	"testing"
)

// docs/ledger.md shows the state machine as people read it; it is the table of
// state.go, row by row, or this fails and prints the table that belongs there.
func TestTidyMovesAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/ledger.md")
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- moves -->\n", "<!-- end of moves -->"
	_, rest, found := strings.Cut(string(page), begin)
	shown, _, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("docs/ledger.md has no table between %q and %q", begin, end)
	}
	if want := movesTable(); shown != want {
		t.Errorf("the table of docs/ledger.md is not giro.Moves; it should be\n%s", want)
	}
}

// movesTable writes Moves as a Markdown table.
func movesTable() string {
	cell := func(s, empty string) string {
		if s == "" {
			return empty
		}
		return "`" + s + "`"
	}
	flags := func(r *Move) string {
		var words []string
		for _, f := range []struct {
			name  string
			value flag
		}{{"sent", r.sent}, {"in doubt", r.doubt}} {
			switch f.value {
			case set:
				words = append(words, "+"+f.name)
			case clear:
				words = append(words, "−"+f.name)
			}
		}
		if len(words) == 0 {
			return "–"
		}
		return strings.Join(words, ", ")
	}
	var b strings.Builder
	b.WriteString("| kinds | from | holds when | cause | to | flags | effect | event |\n|---|---|---|---|---|---|---|---|\n")
	for i := range Moves {
		r := &Moves[i]
		holds := r.Sent
		if holds == "" {
			holds = "always"
		}
		for _, column := range []string{strings.Join(strings.Split(r.Kinds, ""), " "), cell(string(r.From), ""), holds, cell(string(r.Cause), ""), cell(string(r.To), ""), flags(r), cell(string(r.Effect), "–"), cell(r.Event, "–")} {
			b.WriteString("| " + column + " ")
		}
		b.WriteString("|\n")
	}
	return b.String()
}
