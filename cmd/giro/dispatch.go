package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"giro"
	"giro/api"
	"giro/webhook"
)

// outgoing says where webhooks may be sent.
type outgoing struct {
	AllowPrivate bool     `help:"Let webhooks go to loopback and private addresses, by http and to any port: for tests and private networks." name:"webhook-allow-private" env:"GIRO_WEBHOOK_ALLOW_PRIVATE"`
	Ports        []uint16 `help:"Ports that webhooks may use, instead of 443 and 8443." name:"webhook-ports" env:"GIRO_WEBHOOK_PORTS"`
}

// policy is the rule for URLs; giro does not call the addresses that it serves
// on, nor the name under which browsers reach it.
func (o outgoing) policy(listen net.Addr, publicURL string) webhook.Policy {
	p := webhook.Policy{AllowPrivate: o.AllowPrivate, Ports: o.Ports}
	if at, ok := listen.(*net.TCPAddr); ok {
		hosts := []string{at.IP.String()}
		if at.IP.IsUnspecified() || at.IP.IsLoopback() {
			hosts = append(hosts, "localhost", "127.0.0.1", "::1")
		}
		if at.IP.IsUnspecified() {
			all, _ := net.InterfaceAddrs() // where they cannot be listed, these stay
			for _, a := range all {
				if network, ok := a.(*net.IPNet); ok {
					hosts = append(hosts, network.IP.String())
				}
			}
		}
		for _, host := range hosts {
			p.Own = append(p.Own, net.JoinHostPort(host, fmt.Sprint(at.Port)))
		}
	}
	if u, err := url.Parse(publicURL); err == nil && u.Host != "" {
		// A name is giro's on every port. An address or localhost may be others' too.
		if host := u.Hostname(); net.ParseIP(host) == nil && host != "localhost" {
			p.Own = append(p.Own, host)
		} else {
			p.Own = append(p.Own, u.Host)
		}
	}
	return p
}

// dispatcher sends what the engine writes, under a policy. run sends until ctx
// ends; the engine has to run until it has returned. The providers behind live
// rails are reached under the same policy.
func (in *installation) dispatcher(policy webhook.Policy, log *slog.Logger) (hooks *api.Webhooks, run func(ctx context.Context)) {
	d := &webhook.Dispatcher{
		Engine: in.engine,
		Client: webhook.NewClient(webhook.Config{Policy: policy}),
		Logf:   func(format string, args ...any) { log.Error(fmt.Sprintf(format, args...)) },
		SignNotice: func(book giro.Book, profile string, at time.Time, body []byte) (http.Header, error) {
			name := "SmartFastPay-Signature" // as it is spelt on the pages
			if profile == "jumppag" {
				name = "Jump-Signature"
			}
			return http.Header{name: {webhook.SignSmartFastPay(in.engine.Secret.NotifySecret(book), at, body)}}, nil
		},
	}
	in.out.allow(d.Client.HTTP().Transport)
	hooks = &api.Webhooks{
		CheckURL:  func(url string) error { return webhook.CheckURL(url, policy) },
		LookUp:    d.Client.LookUp,
		NewSecret: func() string { return webhook.NewSecret().Reveal() },
		Test: func(ctx context.Context, p *giro.Endpoint) (*giro.Delivery, []byte, error) {
			return d.Test(ctx, p)
		},
	}
	return hooks, func(ctx context.Context) {
		d.Run(ctx)
		d.Client.Close()
	}
}
