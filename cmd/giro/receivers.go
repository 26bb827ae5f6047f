package main

import (
	"context"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"giro"
	"giro/webhook"
)

// receivers are the programs of the demo's shop that are told of its events. The
// store takes all of them; accounting fails on one in eight, always the same.
var receivers = []struct {
	name   string
	events []string
	serve  http.HandlerFunc
}{
	{"store", []string{"charge.*", "refund.*"}, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }},
	{"accounting", []string{"*"}, func(w http.ResponseWriter, r *http.Request) {
		h := fnv.New32a()
		io.WriteString(h, r.Header.Get("webhook-id"))
		if h.Sum32()%8 == 0 {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, "<h1>Internal error</h1>")
			return
		}
		io.WriteString(w, "booked")
	}},
}

// serveReceivers serves them on a port of this machine until stop is called.
func serveReceivers() (url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	mux := http.NewServeMux()
	for _, r := range receivers {
		mux.HandleFunc("POST /"+r.name, r.serve)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(l) //nolint:errcheck // it ends with stop
	return "http://" + l.Addr().String(), func() { server.Close() }, nil
}

// subscribe makes the receivers' endpoints; if the demo has them already they
// get the port of today, and those that somebody has deleted stay so.
func (s *past) subscribe(ctx context.Context, first bool) error {
	known, err := s.engine.Endpoints(ctx, s.call.Book())
	if err != nil {
		return err
	}
	for _, r := range receivers {
		url := s.receivers + "/" + r.name
		is := func(p *giro.Endpoint) bool { return p.Metadata["receiver"] == r.name }
		if i := slices.IndexFunc(known, is); i >= 0 {
			_, err = s.engine.UpdateEndpoint(ctx, s.call, known[i].ID, 0, func(p *giro.Endpoint, _ int64) error { p.URL = url; return nil })
		} else if first {
			_, err = s.engine.CreateEndpoint(ctx, s.call, giro.Endpoint{
				URL: url, Events: r.events, Enabled: true, Description: "The shop's " + r.name, Metadata: map[string]string{"receiver": r.name},
			}, webhook.NewSecret().Reveal())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
