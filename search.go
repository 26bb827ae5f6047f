package giro

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Term is one word by which search finds a movement or customer. Terms are only
// added: whoever finds one looks whether the object still has it.
type Term struct {
	Book Book
	Term string // folded by Fold, at most termMax bytes
	Kind string // a Kind, or DocCustomer
	ID   UUID
}

// TermBacklog is a book whose events have not all been read for terms.
type TermBacklog struct {
	Book     Book
	Sequence int64 // read so far
	Events   int64 // of the last event
}

const (
	termMax     = 64 // bytes of a term
	termsMax    = 40 // of one object
	termsEvents = 500
	// termCut is a term of objects that have more words than termsMax. No word is a
	// space, so nobody searches for it.
	termCut    = " "
	holdersMax = 2000
)

// Fold returns the form in which words are compared: lower case, without
// accents.
func Fold(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] >= 0x80 {
			ascii = false
			break
		}
	}
	if !ascii {
		s = strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Mn, r) {
				return -1
			}
			return r
		}, norm.NFD.String(s))
	}
	return strings.ToLower(s)
}

// Words cuts a folded text at white space; each is at most as long as a term.
func Words(folded string) []string {
	words := strings.Fields(folded)
	for i, w := range words {
		if len(w) > termMax {
			words[i] = strings.ToValidUTF8(w[:termMax], "")
		}
	}
	return words
}

// searched are the members of an object that are searched by: what its event or
// document holds.
type searched struct {
	Reference string            `json:"reference"`
	Name      string            `json:"name"`
	Email     string            `json:"email"`
	Phone     string            `json:"phone"`
	Document  *Document         `json:"document"`
	Receipt   string            `json:"receipt_email"`
	Metadata  map[string]string `json:"metadata"`
	Recipient *Party            `json:"recipient"`
	Mobile    *Mobile           `json:"mobile"`
	Bank      *struct {
		Key           string `json:"key"`
		Account       string `json:"account"`
		IBAN          string `json:"iban"`
		AccountNumber string `json:"account_number"`
	} `json:"bank"`
	EndToEnd string `json:"end_to_end_id"`
}

// TermsOf returns the words by which an object is found: its reference, the
// names, e-mail addresses, phones and identity documents in it, its bank key or
// account, its end-to-end id, and the values of its metadata.
func TermsOf(data []byte) ([]string, error) {
	var o searched
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, err
	}
	var terms []string
	add := func(texts ...string) {
		for _, text := range texts {
			for _, w := range Words(Fold(text)) {
				switch {
				case w == "" || slices.Contains(terms, w):
				case len(terms) < termsMax:
					terms = append(terms, w)
				case len(terms) == termsMax:
					terms = append(terms, termCut)
				}
			}
		}
	}
	party := func(p Party) {
		add(p.Name, p.Email, p.Phone, strings.TrimPrefix(p.Phone, "+"))
		if p.Document != nil {
			add(p.Document.Number)
		}
	}
	add(o.Reference)
	party(Party{Name: o.Name, Email: o.Email, Phone: o.Phone, Document: o.Document})
	if o.Recipient != nil {
		party(*o.Recipient)
	}
	if o.Bank != nil {
		add(o.Bank.Key, strings.TrimPrefix(o.Bank.Key, "+"), o.Bank.Account, o.Bank.IBAN, o.Bank.AccountNumber)
	}
	if o.Mobile != nil {
		add(o.Mobile.Phone, strings.TrimPrefix(o.Mobile.Phone, "+"))
	}
	add(o.Receipt, o.EndToEnd)
	keys := make([]string, 0, len(o.Metadata))
	for k := range o.Metadata {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		add(o.Metadata[k])
	}
	return terms, nil
}

// Holders returns ids among which are those of all movements of a book that have
// the texts in what is searched, by the longest word of them. It is nil where that cannot be
// said: there are too many, or too much was written since terms were.
func (e *Engine) Holders(ctx context.Context, book Book, texts []string) ([]UUID, error) {
	word := ""
	for _, v := range texts {
		for _, w := range Words(Fold(v)) {
			if len(w) > len(word) || len(w) == len(word) && w < word {
				word = w
			}
		}
	}
	if word == "" {
		return nil, nil
	}
	// Terms first: what has none yet was written after them, and has an event.
	terms := []string{word, termCut}
	ids, sequence, err := e.Store.TermIDs(ctx, book, terms, holdersMax+1)
	if err != nil || len(ids) > holdersMax {
		return nil, err
	}
	events, err := e.Store.Events(ctx, EventQuery{Book: book, After: sequence, Ascending: true, Limit: termsEvents + 1})
	if err != nil || len(events) > termsEvents {
		return nil, err
	}
	for _, v := range events {
		ids = append(ids, v.Object)
	}
	slices.SortFunc(ids, func(a, b UUID) int { return bytes.Compare(a[:], b[:]) })
	return append([]UUID{}, slices.Compact(ids)...), nil
}

// documentTerms are those of the documents that a batch writes.
func documentTerms(docs []*StoredDocument) []Term {
	var list []Term
	for _, d := range docs {
		if d.Kind != DocCustomer || d.Gone {
			continue
		}
		words, err := TermsOf(d.Data)
		if err != nil {
			continue // it is not found then; nothing else depends on it
		}
		for _, w := range words {
			list = append(list, Term{d.Book, w, string(d.Kind), d.ID})
		}
	}
	return list
}

// Index reads new events and writes the terms of their movements, until ctx
// ends. It is no part of any payment: while commands are waiting it writes one
// page a second and catches up later. Any number of processes may run it.
func (e *Engine) Index(ctx context.Context) {
	const pace, quick = time.Second, 20 * time.Millisecond
	for ctx.Err() == nil {
		changed := e.Committed()
		n, err := e.IndexSome(ctx, termsEvents)
		if err != nil && ctx.Err() == nil {
			e.Logf("index for search: %v", err)
		}
		wait := pace
		if n > 0 && err == nil && !e.busyNow() {
			wait = quick
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-t.C:
			if n > 0 {
				break
			}
			// Nothing is left: wait for a commit, or for another process's.
			again := time.NewTimer(2 * time.Second)
			select {
			case <-ctx.Done():
			case <-changed:
			case <-again.C:
			}
			again.Stop()
		}
		t.Stop()
	}
}

// busyNow reports whether commands are waiting.
func (e *Engine) busyNow() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.queue.waiting > 0
}

// IndexSome reads new events of each book, at most so many of one, and returns by
// how many it has come further.
func (e *Engine) IndexSome(ctx context.Context, most int) (int, error) {
	behind, err := e.Store.TermBacklogs(ctx, 100)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, book := range behind {
		// With both ends a database that takes the rest for a few rows does not
		// read and sort it for each page.
		to := min(book.Events, book.Sequence+int64(most))
		events, err := e.Store.Events(ctx, EventQuery{Book: book.Book, After: book.Sequence, To: to, Ascending: true, Limit: most})
		if err != nil {
			return n, err
		}
		var terms []Term
		for _, v := range events {
			kind, what, _ := strings.Cut(v.Type, ".")
			// Nothing else changes a word, but that whoever pays a charge tells its
			// end-to-end id.
			told := what == "succeeded" && Kind(kind) == KindCharge && bytes.Contains(v.Data, []byte(`"end_to_end_id":`))
			if what != "created" && what != "updated" && !told || !slices.Contains(Kinds, Kind(kind)) {
				continue
			}
			words, err := TermsOf(v.Data)
			if err != nil {
				return n, err
			}
			for _, w := range words {
				terms = append(terms, Term{book.Book, w, kind, v.Object})
			}
		}
		// Many in their own order: each goes where the last one went.
		slices.SortFunc(terms, func(a, b Term) int {
			return cmp.Or(cmp.Compare(a.Term, b.Term), bytes.Compare(a.ID[:], b.ID[:]))
		})
		if err := e.Store.AddTerms(ctx, book.Book, book.Sequence, to, terms); err != nil {
			return n, err
		}
		n += int(to - book.Sequence)
	}
	return n, nil
}
