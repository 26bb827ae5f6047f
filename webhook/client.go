package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"giro"
)

// What a receiver may cost.
const (
	lookUpMax  = 2 * time.Second // while an endpoint is made
	connectMax = 5 * time.Second
	totalMax   = 15 * time.Second
	headerMax  = 16 << 10
	answerMax  = 64 << 10 // read, so that the connection can be used again
	excerptMax = 4 << 10  // kept, for the endpoint's owner to see
)

// ErrBlocked is wrapped by the error of a post that the policy forbids. Nothing
// was sent and no connection was made.
var ErrBlocked = errors.New("webhook: blocked")

// errAnswer is wrapped by the error of a post whose answer began and was not
// read to its end.
var errAnswer = errors.New("read the answer")

// Config is what a [Client] needs to know. The zero value posts to the public
// internet.
type Config struct {
	Policy Policy
	// RootCAs replaces the system's certificate authorities.
	RootCAs *x509.CertPool
	// Resolve replaces the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Timeout replaces the 15 seconds that a post has in all.
	Timeout time.Duration
}

// Client posts messages. It follows no redirect, takes no proxy from the
// environment, keeps no cookies, verifies TLS 1.2 or later, and connects only to
// addresses that its policy allows. Safe for concurrent use.
type Client struct {
	config Config
	http   http.Client
}

// NewClient returns a client. Close it to drop idle connections.
func NewClient(config Config) *Client {
	if config.Resolve == nil {
		config.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if config.Timeout == 0 {
		config.Timeout = totalMax
	}
	c := &Client{config: config}
	c.http = http.Client{
		Transport: &http.Transport{
			DialContext:            c.dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: config.RootCAs},
			TLSHandshakeTimeout:    connectMax,
			DisableCompression:     true, // what is read is what was sent: no bombs
			MaxResponseHeaderBytes: headerMax,
			MaxIdleConns:           1024,
			MaxIdleConnsPerHost:    1024, // many endpoints may share a host
			IdleConnTimeout:        30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// HTTP is the client itself, under the same policy, for requests that are no
// messages; its callers bring a context that ends.
func (c *Client) HTTP() *http.Client { return &c.http }

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Answer is what a receiver said.
type Answer struct {
	Status     int
	RetryAfter time.Duration // what it asked for, at most RetryAfterMax; 0: nothing
	Excerpt    string        // the first 4 KiB of its body, made valid UTF-8; text to show, never markup
}

// Accepted reports whether the message was taken: 2xx. A redirect is a failure.
func (a Answer) Accepted() bool { return a.Status >= 200 && a.Status <= 299 }

// Gone reports whether the receiver asked for no more messages.
func (a Answer) Gone() bool { return a.Status == http.StatusGone }

// Post sends body, as application/json, with these headers, and reads the
// answer. An error means that there was no whole answer within 15 seconds: the
// receiver may or may not have taken the message, unless the error wraps
// [ErrBlocked].
func (c *Client) Post(ctx context.Context, url string, header http.Header, body []byte) (Answer, error) {
	// Again, because the policy may have changed since the endpoint was made.
	if err := CheckURL(url, c.config.Policy); err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrBlocked, err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrBlocked, err)
	}
	for name, values := range header {
		req.Header[name] = values // as it is spelt: receivers in use compare names exactly
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "giro-webhook")
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	answer := Answer{Status: resp.StatusCode}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		// A date in Retry-After is the receiver's clock: so is the one to measure it by.
		answer.RetryAfter = RetryAfter(resp.Header.Get("Retry-After"), date)
	} else {
		answer.RetryAfter = RetryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	var excerpt bytes.Buffer
	_, err = io.CopyN(&excerpt, resp.Body, excerptMax)
	if err == nil {
		_, err = io.CopyN(io.Discard, resp.Body, answerMax-excerptMax)
	}
	answer.Excerpt = strings.ToValidUTF8(excerpt.String(), "\uFFFD")
	if err == nil || errors.Is(err, io.EOF) {
		// Hanging up at the deadline can make the receiver end its answer in time to be read.
		err = ctx.Err()
	}
	if err != nil {
		return answer, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return answer, nil
}

// LookUp refuses a URL whose name has, just now, an address that its policy does
// not allow: a *giro.Error with CodeURLForbidden, without Param. A name without
// addresses passes, and one that nobody tells of within two seconds: it is dial
// that decides, each time.
func (c *Client) LookUp(ctx context.Context, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil // that is CheckURL's to say
	}
	host, port, err := splitHost(u)
	if err != nil {
		return nil
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpMax)
	defer cancel()
	addrs, err := c.config.Resolve(ctx, host)
	if err != nil {
		return nil
	}
	for _, addr := range addrs {
		if c.config.Policy.checkPeer(netip.AddrPortFrom(addr, port)) != nil {
			return giro.Refuse(giro.CodeURLForbidden, "", "the host has an address that nothing may be sent to")
		}
	}
	return nil
}

// dial connects to one of the addresses that a name has now. All of them must
// be allowed: a name that also leads inside is refused as a whole. The name is
// not resolved a second time, so what was checked is what is connected to.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectMax)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	if addr, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{addr}
	} else if addrs, err = c.config.Resolve(ctx, host); err != nil {
		return nil, err
	} else if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	for _, addr := range addrs {
		if err := c.config.Policy.checkAddr(addr); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBlocked, err)
		}
	}
	dialer := net.Dialer{ControlContext: c.control}
	var first error
	for i, addr := range addrs {
		// Each address gets its share of what time is left: one that is silent does not use up the others'.
		deadline, _ := ctx.Deadline()
		share, stop := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(len(addrs)-i))
		conn, err := dialer.DialContext(share, network, net.JoinHostPort(addr.Unmap().String(), port))
		stop()
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// control sees the address that the socket is about to connect to: the last
// check, whatever led there.
func (c *Client) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBlocked, err)
	}
	if err := c.config.Policy.checkPeer(at); err != nil {
		return fmt.Errorf("%w: %w", ErrBlocked, err)
	}
	return nil
}
