package main

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
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
}

func (n *narrowing) query() url.Values {
	return given(map[string]string{"status": n.Status, "method": strings.ToUpper(strings.Join(n.Method, ",")), "operation": n.Operation, "key": n.Key, "target": n.Target})
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
	Every time.Duration `default:"2s" help:"How often to look." placeholder:"2s"`
}

// Run prints what is new since it began. Its own looking is left out.
func (c *logsTailCommand) Run(s *session, n *noun) error {
	if c.Every < 100*time.Millisecond {
		return exitError{exitUsage, errors.New("--every is at least 100ms")}
	}
	if s.form == "json" {
		s.form = "jsonl" // there is no end to close an array at
	}
	seen := "" // ids grow with time
	for first := true; ; first = false {
		q := c.query()
		q.Set("limit", "100")
		v, _, err := s.read(n.path, q)
		if err != nil {
			return err
		}
		rows := s.table(n.columns)
		rows.p.o.NoHeaders = rows.p.o.NoHeaders || !first
		newest := seen
		for n := len(v.members) - 1; n >= 0; n-- {
			id := v.members[n].at("id").string()
			if id <= seen {
				continue
			}
			newest = max(newest, id)
			if first || v.members[n].at("operation").string() == "listRequests" {
				continue
			}
			if err := rows.row(v.members[n]); err != nil {
				return err
			}
		}
		if seen = newest; rows.count > 0 {
			if err := rows.end(); err != nil {
				return err
			}
		}
		select {
		case <-s.ctx.Done():
			return nil
		case <-time.After(c.Every):
		}
	}
}
