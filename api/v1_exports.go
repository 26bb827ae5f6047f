package api

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"giro"
	"giro/money"
)

// exportPage is how many rows are read at once; an export holds no more than
// these in memory, whatever its length.
const exportPage = 500

// exportWrite is how long one page may take to reach the reader.
const exportWrite = 30 * time.Second

// column is a column of an export.
type column[T any] struct {
	name  string
	value func(T) string
}

var movementColumns = []column[*giro.Movement]{
	{"id", func(m *giro.Movement) string { return m.ID.ID(m.Kind.Prefix()) }},
	{"created_at", func(m *giro.Movement) string { return instant(m.Created) }},
	{"status", func(m *giro.Movement) string { return string(m.Status) }},
	{"amount", func(m *giro.Movement) string { return itoa(m.Amount) }},
	{"amount_decimal", func(m *giro.Movement) string { return money.Format(m.Amount, m.Currency) }},
	{"amount_captured", func(m *giro.Movement) string { return itoa(m.Captured) }},
	{"amount_refunded", func(m *giro.Movement) string { return itoa(m.Refunded) }},
	{"fee", func(m *giro.Movement) string { return itoa(m.Fee) }},
	{"currency", func(m *giro.Movement) string { return m.Currency.Lower() }},
	{"provider", func(m *giro.Movement) string { return m.Detail.Provider }},
	{"method", func(m *giro.Movement) string { return m.Detail.Method }},
	{"rail", func(m *giro.Movement) string { return m.Detail.Rail }},
	{"reference", func(m *giro.Movement) string { return m.Reference }},
	{"customer", func(m *giro.Movement) string { return idOrEmpty("cus", m.Customer) }},
	{"charge", func(m *giro.Movement) string { return idOrEmpty("ch", m.Parent) }},
	{"recipient_name", func(m *giro.Movement) string {
		if m.Detail.Recipient == nil {
			return ""
		}
		return m.Detail.Recipient.Name
	}},
	{"recipient_document", func(m *giro.Movement) string {
		if m.Detail.Recipient == nil || m.Detail.Recipient.Document == nil {
			return ""
		}
		return m.Detail.Recipient.Document.Number
	}},
	{"failure_code", func(m *giro.Movement) string { return m.Detail.FailureCode }},
	{"failure_message", func(m *giro.Movement) string { return m.Detail.FailureMessage }},
	{"in_doubt", func(m *giro.Movement) string { return strconv.FormatBool(m.InDoubt) }},
	{"description", func(m *giro.Movement) string { return m.Detail.Description }},
	{"updated_at", func(m *giro.Movement) string { return instant(m.Updated) }},
	{"metadata", func(m *giro.Movement) string { return string(appendMetadata(nil, m.Detail.Metadata)) }},
}

// customerRow is a customer with its document.
type customerRow struct {
	giro.Customer
	d *giro.StoredDocument
}

var customerColumns = []column[customerRow]{
	{"id", func(r customerRow) string { return r.d.ID.ID("cus") }},
	{"created_at", func(r customerRow) string { return instant(r.d.Created) }},
	{"name", func(r customerRow) string { return r.Name }},
	{"email", func(r customerRow) string { return r.Email }},
	{"phone", func(r customerRow) string { return r.Phone }},
	{"document_type", func(r customerRow) string {
		if r.Document == nil {
			return ""
		}
		return r.Document.Type
	}},
	{"document_number", func(r customerRow) string {
		if r.Document == nil {
			return ""
		}
		return r.Document.Number
	}},
	{"reference", func(r customerRow) string { return r.Reference }},
	{"description", func(r customerRow) string { return r.Description }},
	{"metadata", func(r customerRow) string { return string(appendMetadata(nil, r.Metadata)) }},
}

// entryRow is a line of an account's statement.
type entryRow struct {
	giro.Entry
	account *giro.Account
}

var entryColumns = []column[entryRow]{
	{"at", func(r entryRow) string { return giro.TimeOf(r.At).Format("2006-01-02T15:04:05.000000Z") }},
	{"sequence", func(r entryRow) string { return itoa(r.Sequence) }},
	{"amount", func(r entryRow) string { return itoa(r.Amount) }},
	{"amount_decimal", func(r entryRow) string { return money.Format(r.Amount, r.account.Currency) }},
	{"balance", func(r entryRow) string { return itoa(r.Balance) }},
	{"balance_decimal", func(r entryRow) string { return money.Format(r.Balance, r.account.Currency) }},
	{"currency", func(r entryRow) string { return r.account.Currency.Lower() }},
}

// numeric columns are written as they are: they hold digits and a sign that giro
// itself made.
var numericColumns = []string{"amount", "amount_decimal", "amount_captured", "amount_refunded", "fee", "balance", "balance_decimal", "sequence"}

func idOrEmpty(prefix string, id giro.UUID) string {
	if id.IsZero() {
		return ""
	}
	return id.ID(prefix)
}

func columnNames[T any](list []column[T]) []string {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.name
	}
	return names
}

func columnsParam(names []string) param {
	return param{name: "columns", kind: paramList, max: 40, enum: names, about: "In this order; all if it is not sent."}
}

var exportAbout = "CSV in UTF-8 with a header, streamed. A cell that a spreadsheet would take for a formula begins with an apostrophe. If it breaks off, the connection ends without the last chunk."

var exportRoutes = func() []*route {
	var list []*route
	for _, k := range giro.Kinds {
		params := []param{columnsParam(columnNames(movementColumns)), {name: "ids", kind: paramList, max: 100, about: "Only these; other filters are left out then."}, placeParams[0], placeParams[1]}
		for _, p := range movementParamsOf(k) {
			switch p.name {
			case "limit", "cursor", "page", "items_per_page":
			default:
				params = append(params, p)
			}
		}
		list = append(list, &route{method: "GET", path: "/v1/exports/" + k.Plural(), id: "export" + strings.ToUpper(string(k[:1])) + string(k[1:]) + "s", tag: k.Plural(), summary: "Export " + k.Plural() + " as CSV, newest first", access: accessSecret, params: params,
			about: exportAbout + " The filters are those of the list; those without an index look at every row.", status: 200, media: "text/csv", handler: exportMovements(k)})
	}
	return append(list,
		&route{method: "GET", path: "/v1/exports/customers", id: "exportCustomers", tag: "customers", summary: "Export customers as CSV, newest first", access: accessSecret, about: exportAbout,
			params: []param{columnsParam(columnNames(customerColumns)), placeParams[0], placeParams[1]}, status: 200, media: "text/csv", handler: exportCustomers},
		&route{method: "GET", path: "/v1/exports/entries", id: "exportEntries", tag: "accounts", summary: "Export an account's statement as CSV, newest first", access: accessSecret, about: exportAbout,
			params: []param{{name: "account", kind: paramID, prefix: "acct", about: "Required."}, columnsParam(columnNames(entryColumns)), placeParams[0], placeParams[1]},
			status: 200, media: "text/csv", errors: []giro.Code{giro.CodeNotFound, giro.CodeInvalidParameter}, handler: exportEntries})
}()

// sheet writes an export page by page.
type sheet[T any] struct {
	c       *call
	columns []column[T]
	w       *csv.Writer
	out     *http.ResponseController
	row     []string
}

// open chooses the columns; the answer begins with the first page.
func openSheet[T any](c *call, all []column[T]) *sheet[T] {
	s := &sheet[T]{c: c, columns: all, out: http.NewResponseController(c.w)}
	if names := c.query.list("columns"); len(names) > 0 {
		s.columns = nil
		for _, name := range names {
			s.columns = append(s.columns, all[slices.IndexFunc(all, func(one column[T]) bool { return one.name == name })])
		}
	}
	return s
}

// begin sends the header: from here on there is no error answer any more.
func (s *sheet[T]) begin(name string) {
	h := s.c.w.Header()
	h["Content-Type"] = []string{"text/csv; charset=utf-8; header=present"}
	h["Content-Disposition"] = []string{`attachment; filename="` + name + s.c.at.UTC().Format("-20060102-150405") + `.csv"`}
	s.c.status = http.StatusOK
	s.c.w.WriteHeader(http.StatusOK)
	s.w = csv.NewWriter(s.c.w)
	s.row = columnNames(s.columns)
	s.w.Write(s.row)
}

// page writes rows and hands them to the reader.
func (s *sheet[T]) page(rows []T) {
	for _, r := range rows {
		for i, column := range s.columns {
			s.row[i] = column.value(r)
			if !slices.Contains(numericColumns, column.name) {
				s.row[i] = harmless(s.row[i])
			}
		}
		s.w.Write(s.row)
	}
	s.out.SetWriteDeadline(s.c.s.config.Now().Add(exportWrite))
	s.w.Flush()
	if s.w.Error() != nil || s.out.Flush() != nil || s.c.ctx.Err() != nil {
		panic(http.ErrAbortHandler) // the reader has gone
	}
}

// fail ends the connection in the middle, so that the reader sees that
// something is missing.
func (s *sheet[T]) fail(err error) error {
	if s.w == nil {
		return err
	}
	s.c.s.log.Error("export", "request_id", s.c.rid, "error", err)
	panic(http.ErrAbortHandler)
}

// end is after the last page: of test data that was wiped meanwhile it is not.
func (s *sheet[T]) end() error {
	before := s.c.wiped
	err := s.c.whole()
	if err == nil && s.c.wiped != before {
		err = giro.ErrWiping
	}
	if err != nil {
		return s.fail(err)
	}
	return nil
}

// harmless keeps a spreadsheet from reading a cell as a formula
// (owasp.org/www-community/attacks/CSV_Injection).
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(cell)[0]) {
		return "'" + cell
	}
	return cell
}

func exportMovements(k giro.Kind) func(c *call) error {
	return func(c *call) error {
		s := openSheet(c, movementColumns)
		if ids := c.query.list("ids"); len(ids) > 0 {
			var rows []*giro.Movement
			for _, v := range ids {
				id, ok := giro.ParseID(k.Prefix(), v)
				if !ok {
					return giro.Refuse(giro.CodeInvalidParameter, "ids", "must be ids that begin with "+k.Prefix()+"_")
				}
				m, err := c.engine().Store.Movement(c.ctx, c.book(), k, id)
				if err != nil {
					return err
				}
				if m != nil && !m.Deleted {
					rows = append(rows, m)
				}
			}
			s.begin(k.Plural())
			s.page(rows)
			return s.end()
		}
		q, _, err := c.movementQuery(k)
		if err != nil {
			return err
		}
		q.Limit = exportPage
		var scanned giro.UUID
		q.Scanned = &scanned
		for first := true; ; first = false {
			scanned = giro.UUID{}
			list, more, err := c.engine().Store.Movements(c.ctx, q)
			if err != nil {
				return s.fail(err)
			}
			if first {
				s.begin(k.Plural())
			}
			s.page(list)
			switch {
			case more && len(list) == q.Limit:
				q.Before = list[len(list)-1].ID
			case !scanned.IsZero():
				q.Before = scanned
			case more && len(list) > 0:
				q.Before = list[len(list)-1].ID
			default:
				return s.end()
			}
		}
	}
}

func exportCustomers(c *call) error {
	s := openSheet(c, customerColumns)
	q := giro.DocumentQuery{Kind: giro.DocCustomer, Book: c.book(), Limit: exportPage}
	for first := true; ; first = false {
		docs, err := c.engine().Store.Documents(c.ctx, q)
		if err != nil {
			return s.fail(err)
		}
		rows := make([]customerRow, len(docs))
		for i, d := range docs {
			rows[i].d = d
			if err := json.Unmarshal(d.Data, &rows[i].Customer); err != nil {
				return s.fail(err)
			}
		}
		if first {
			s.begin("customers")
		}
		s.page(rows)
		if len(docs) < exportPage {
			return s.end()
		}
		q.Before = docs[len(docs)-1].ID
	}
}

func exportEntries(c *call) error {
	id, ok := giro.ParseID("acct", c.query.text("account"))
	if !ok {
		return giro.Refuse(giro.CodeInvalidParameter, "account", "send the account whose statement is wanted")
	}
	accounts, _, err := c.engine().Store.Accounts(c.ctx, giro.AccountQuery{Book: c.book(), IDs: []giro.UUID{id}})
	if err != nil {
		return err
	}
	if len(accounts) == 0 {
		return missing("account")
	}
	s := openSheet(c, entryColumns)
	var before giro.EntryKey
	for first := true; ; first = false {
		entries, err := c.engine().Store.Entries(c.ctx, id, before, exportPage)
		if err != nil {
			return s.fail(err)
		}
		rows := make([]entryRow, len(entries))
		for i, e := range entries {
			rows[i] = entryRow{e, accounts[0]}
		}
		if first {
			s.begin("statement")
		}
		s.page(rows)
		if len(entries) < exportPage {
			return s.end()
		}
		last := entries[len(entries)-1]
		before = giro.EntryKey{Sequence: last.Sequence, N: last.N}
	}
}
