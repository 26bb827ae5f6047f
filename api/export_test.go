package api

import "time"

// Streams returns how many streams are open.
func (s *Server) Streams() int64 { return s.streams.Load() }

// DropAfter sets how long a stream waits for its reader.
func (s *Server) DropAfter(d time.Duration) { s.patience = d }

// Operation is a row of the table of routes, for the tests outside.
type Operation struct {
	ID, Method, Path, Tag, Summary, Media, Access string
	Status                                        int
	Body, Answer                                  bool
}

// Operations lists the table of routes without the documentation's own pages.
func Operations() []Operation {
	var list []Operation
	for _, r := range routes() {
		if r.tag != "docs" {
			list = append(list, Operation{r.id, r.method, r.path, r.tag, r.summary, r.media, r.access.String(), r.status, r.body != nil, r.answer != nil})
		}
	}
	return list
}

// OperationOf returns the id of the operation that serves a request, or "".
func (s *Server) OperationOf(method, escapedPath string) string {
	methods, _, err := s.routes.find(escapedPath, nil)
	if err != nil {
		return ""
	}
	for _, r := range methods {
		if r.method == method {
			return r.id
		}
	}
	return ""
}
