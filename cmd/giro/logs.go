package main

import (
	"net/url"
	"strconv"
	"strings"
)

type logsCommand struct {
	List logsListCommand `cmd:"" help:"What was asked of the API, newest first."`
	Get  logsGetCommand  `cmd:"" help:"One request with its bodies."`
	Tail logsTailCommand `cmd:"" help:"Requests as they come, until Ctrl-C."`
}

// milliseconds writes microseconds with one decimal.
func milliseconds(us int64) string {
	tenths := (us + 50) / 100
	return strconv.FormatInt(tenths/10, 10) + "." + strconv.FormatInt(tenths%10, 10)
}

// narrowing are the filters of the log.
type narrowing struct {
	Status    string   `enum:",2xx,4xx,5xx" default:"" help:"Only answers of this class: 2xx, 4xx or 5xx." placeholder:"CLASS"`
	Method    []string `help:"Only these methods." placeholder:"METHOD"`
	Operation string   `help:"Only this operation: createPayout." placeholder:"NAME"`
	Key       string   `name:"of-key" help:"Only requests of this key." placeholder:"key_…"`
	Target    string   `help:"Only requests that named or made this object." placeholder:"ID"`
	Path      string   `help:"Only paths that begin so: /v1/payouts." placeholder:"PATH"`
	Address   string   `help:"Only requests from this address." placeholder:"IP"`
	Attempt   string   `name:"with-idempotency-key" help:"Only requests with this Idempotency-Key." placeholder:"KEY"`
}

func (n *narrowing) query() url.Values {
	return given(map[string]string{"status": n.Status, "method": strings.ToUpper(strings.Join(n.Method, ",")), "operation": n.Operation, "key": n.Key, "target": n.Target, "path": n.Path, "address": n.Address, "idempotency_key": n.Attempt})
}

type logsListCommand struct {
	apiFlags
	paging
	narrowing
}

func (c *logsListCommand) Run(s *session, n *noun) error { return c.each(s, n, c.query()) }

type logsGetCommand struct {
	apiFlags
	ID string `arg:"" help:"The request's id."`
}

func (c *logsGetCommand) Run(s *session, n *noun) error { return s.show(n, c.ID) }

type logsTailCommand struct {
	apiFlags
	narrowing
	following
}

// Run leaves its own looking out.
func (c *logsTailCommand) Run(s *session, n *noun) error {
	return c.follow(s, n, c.query(), func(row *tree) bool { return row.at("operation").string() == "listRequests" })
}
