package giro

// RequestRow is a line of the request log: what a merchant's key or person
// asked of the API, and the answer. It is kept for a while and never needed by
// anything else.
type RequestRow struct {
	Book   Book
	ID     UUID  // the Request-Id
	At     int64 // µs
	Status int
	Object UUID   // that the request named or made; zero: none
	Data   []byte // JSON, secrets left out
}

// RequestWrites is what the request log writes at once.
type RequestWrites struct {
	Rows    []*RequestRow
	Traffic []*Traffic
	Uses    []KeyUse
}

// KeyUse says when an API key last asked for something, and from where.
type KeyUse struct {
	Key     UUID
	At      int64  // µs
	Address string // without the port
}

// RequestQuery selects lines of a book, newest first.
type RequestQuery struct {
	Book     Book
	ID       UUID // this one alone
	Object   UUID
	Before   UUID
	Since    UUID // this line and those that came later
	From, To int  // statuses, inclusive; 0: all
	Limit    int
}
