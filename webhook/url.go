package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"code.dny.dev/ssrf"
	"golang.org/x/net/idna"

	"giro"
)

// Policy says where events may be sent. The zero value is the one for the
// public internet: https on ports 443 and 8443 of public addresses.
type Policy struct {
	// AllowPrivate adds http, every port, and loopback and private addresses: for
	// tests and private networks. Link-local and metadata addresses stay refused.
	AllowPrivate bool
	// Ports replaces 443 and 8443.
	Ports []uint16
	// Own are names and addresses of this installation, "host" or "host:port":
	// giro does not call itself.
	Own []string
}

// urlMax is the longest URL of an endpoint, in bytes.
const urlMax = 2048

// CheckURL says whether an endpoint may have this URL, by its text alone: a name
// is not resolved here, because what it resolves to is checked each time that it
// is dialled. The error is a *giro.Error with CodeURLForbidden or
// CodePortForbidden, without Param.
func CheckURL(text string, policy Policy) error {
	forbid := func(message string) error { return giro.Refuse(giro.CodeURLForbidden, "", message) }
	if len(text) > urlMax {
		return forbid(fmt.Sprintf("a webhook URL has at most %d characters", urlMax))
	}
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f || c == '\\' {
			return forbid("a webhook URL is written in visible ASCII, without a backslash; a name in another script is written in its xn-- form")
		}
	}
	if strings.Contains(text, "#") {
		return forbid("a webhook URL has no fragment")
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return forbid("this is not an absolute URL")
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && policy.AllowPrivate) {
		return forbid("a webhook URL begins with https://")
	}
	if u.User != nil {
		return forbid("a webhook URL has no user name or password")
	}
	query, err := url.QueryUnescape(u.RawQuery)
	if err != nil || hasControl(u.Path) || hasControl(query) {
		return forbid("a webhook URL has no encoded control characters")
	}
	host, port, err := splitHost(u)
	if err != nil {
		return forbid(err.Error())
	}
	if err := policy.checkHost(host); err != nil {
		return forbid(err.Error())
	}
	if policy.isOwn(host, port) {
		return forbid("this is giro's own address")
	}
	if !policy.AllowPrivate && !slices.Contains(policy.ports(), port) {
		return giro.Refuse(giro.CodePortForbidden, "", fmt.Sprintf("a webhook URL uses one of the ports %v", policy.ports()))
	}
	return nil
}

func (p Policy) ports() []uint16 {
	if len(p.Ports) > 0 {
		return p.Ports
	}
	return []uint16{443, 8443}
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// splitHost returns the host in lower case, an IPv6 address without brackets,
// and the port, which the scheme gives where none is written.
func splitHost(u *url.URL) (host string, port uint16, err error) {
	host = strings.ToLower(u.Hostname())
	switch written := u.Port(); {
	case written != "":
		n, err := strconv.ParseUint(written, 10, 16)
		if err != nil || n == 0 || written[0] == '0' {
			return "", 0, errors.New("a port is a number from 1 to 65535")
		}
		port = uint16(n)
	case strings.HasSuffix(u.Host, ":"):
		return "", 0, errors.New("there is no port after the colon")
	case u.Scheme == "http":
		port = 80
	default:
		port = 443
	}
	// Brackets are for IPv6 and nothing else: "[127.0.0.1]" is no address.
	if strings.HasPrefix(u.Host, "[") != strings.Contains(host, ":") {
		return "", 0, errors.New("the host is malformed")
	}
	return host, port, nil
}

// checkHost judges a host by its text.
func (p Policy) checkHost(host string) error {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Is4In6() {
			return errors.New("an IPv4 address is written as one")
		}
		return p.checkAddr(addr)
	}
	if strings.Contains(host, ":") {
		return errors.New("the host is not an address")
	}
	labels := strings.Split(host, ".")
	// Resolvers read 127.1, 2130706433, 0x7f000001 and 0177.0.0.1 as addresses.
	// Whoever means an address writes it in full.
	if isNumber(labels[len(labels)-1]) {
		return errors.New("an IPv4 address is written as four decimal numbers")
	}
	if strings.HasSuffix(host, ".") {
		return errors.New("a host name does not end in a dot")
	}
	if len(host) > 253 {
		return errors.New("the host name is too long")
	}
	for _, label := range labels {
		if !isLabel(label) {
			return errors.New("this is not a host name")
		}
	}
	if ascii, err := idna.Lookup.ToASCII(host); err != nil && strings.Contains(host, "xn--") || err == nil && ascii != host {
		return errors.New("the host name is not valid Punycode")
	}
	for _, name := range metadataNames {
		if within(host, name) {
			return errors.New("this host serves machine metadata")
		}
	}
	if p.AllowPrivate {
		return nil
	}
	if len(labels) == 1 {
		return errors.New("a public host name has a dot")
	}
	for _, name := range privateNames {
		if within(host, name) {
			return errors.New("this name is for private networks")
		}
	}
	return nil
}

// metadataNames give out a machine's credentials to whoever can make it ask.
var metadataNames = []string{"metadata.google.internal", "metadata.goog", "metadata.azure.internal", "metadata", "instance-data", "instance-data.ec2.internal"}

// privateNames never resolve to a public address (RFC 6761, RFC 6762, RFC 8375,
// and the name that ICANN set aside for private use).
var privateNames = []string{"localhost", "local", "localdomain", "internal", "home.arpa"}

func within(host, name string) bool {
	return host == name || strings.HasSuffix(host, "."+name)
}

func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

func isLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	return strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// isOwn reports whether host and port are this installation.
func (p Policy) isOwn(host string, port uint16) bool {
	full := host + ":" + strconv.Itoa(int(port))
	if strings.Contains(host, ":") {
		full = "[" + host + "]:" + strconv.Itoa(int(port))
	}
	return slices.ContainsFunc(p.Own, func(own string) bool {
		return strings.EqualFold(own, host) || strings.EqualFold(own, full)
	})
}

var (
	// public refuses every address that IANA set aside for something special.
	public = ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork())
	// private are the addresses that AllowPrivate adds.
	private = []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("100.64.0.0/10"),
		netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("fc00::/7"),
	}
	// metadata are refused under every policy. Link-local ones follow from their
	// range; these lie in ranges that may otherwise be allowed.
	metadata = []netip.Addr{
		netip.MustParseAddr("100.100.100.200"),    // Alibaba Cloud
		netip.MustParseAddr("168.63.129.16"),      // Azure
		netip.MustParseAddr("fd00:ec2::254"),      // AWS
		netip.MustParseAddr("fd20:ce::254"),       // Google Cloud
		netip.MustParseAddr("fd00:42::42"),        // Scaleway
		netip.MustParseAddr("fd00:c1::a9fe:a9fe"), // Oracle Cloud
	}
)

// checkAddr judges one address. IPv4 within IPv6 is judged as the IPv4 address
// that it reaches.
func (p Policy) checkAddr(addr netip.Addr) error {
	if addr.Zone() != "" {
		return errors.New("an address with a zone is local to one link")
	}
	addr = addr.Unmap()
	switch {
	case slices.Contains(metadata, addr):
		return errors.New("this address serves machine metadata")
	case addr.IsLinkLocalUnicast():
		return errors.New("link-local addresses are refused")
	}
	if p.AllowPrivate && slices.ContainsFunc(private, func(prefix netip.Prefix) bool { return prefix.Contains(addr) }) {
		return nil
	}
	if err := public.SafeAddr(addr); err != nil {
		return errors.New("this is not a public address")
	}
	return nil
}

// checkPeer judges what is about to be connected to.
func (p Policy) checkPeer(at netip.AddrPort) error {
	if err := p.checkAddr(at.Addr()); err != nil {
		return err
	}
	if p.isOwn(at.Addr().Unmap().String(), at.Port()) {
		return errors.New("this is giro's own address")
	}
	return nil
}
