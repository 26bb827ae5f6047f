package webhook_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"giro"
	"giro/webhook"
)

const anyCode giro.Code = ""

func TestCheckURL(t *testing.T) {
	t.Parallel()
	const forbidden, port = giro.CodeURLForbidden, giro.CodePortForbidden
	long := "https://receiver.example/" + strings.Repeat("a", 2048-len("https://receiver.example/"))
	for _, row := range []struct {
		url             string
		public, private giro.Code // anyCode: accepted
	}{
		{"https://receiver.example/hooks?x=1&y=%20", anyCode, anyCode},
		{"https://receiver.example", anyCode, anyCode},
		{"HTTPS://Receiver.Example/", anyCode, anyCode},
		{"https://receiver.example:443/", anyCode, anyCode},
		{"https://receiver.example:8443/", anyCode, anyCode},
		{"https://8.8.8.8/", anyCode, anyCode},
		{"https://[2606:4700::1111]/", anyCode, anyCode},
		{"https://xn--bcher-kva.example/", anyCode, anyCode},
		{"https://a_b.receiver.example/", anyCode, anyCode},
		{"https://127.0.0.1.receiver.example/", anyCode, anyCode},
		{"https://localhost.receiver.example/", anyCode, anyCode},
		{long, anyCode, anyCode},

		// 176
		{"http://receiver.example/", forbidden, anyCode},
		// 177
		{"https://127.0.0.1/", forbidden, anyCode},
		{"https://localhost/", forbidden, anyCode},
		{"https://LOCALHOST/", forbidden, anyCode},
		{"https://hooks.localhost/", forbidden, anyCode},
		{"https://localhost./", forbidden, forbidden},
		{"https://127.1/", forbidden, forbidden},
		{"https://127.0.1/", forbidden, forbidden},
		{"https://2130706433/", forbidden, forbidden},
		{"https://0x7f000001/", forbidden, forbidden},
		{"https://0x7f.0.0.0x1/", forbidden, forbidden},
		{"https://0x/", forbidden, forbidden},
		{"https://0177.0.0.1/", forbidden, forbidden},
		{"https://127.0.0.01/", forbidden, forbidden},
		{"https://127.0.0.256/", forbidden, forbidden},
		{"https://127.0.0.1./", forbidden, forbidden},
		{"https://0.0.0.0/", forbidden, forbidden},
		{"https://0/", forbidden, forbidden},
		{"https://%31%32%37.0.0.1/", forbidden, forbidden},
		// 178
		{"https://[::1]/", forbidden, anyCode},
		{"https://[0:0:0:0:0:0:0:1]/", forbidden, anyCode},
		{"https://[::]/", forbidden, forbidden},
		{"https://[::ffff:127.0.0.1]/", forbidden, forbidden},
		{"https://[::ffff:7f00:1]/", forbidden, forbidden},
		{"https://[::ffff:8.8.8.8]/", forbidden, forbidden},
		{"https://[::127.0.0.1]/", forbidden, forbidden},
		{"https://[64:ff9b::7f00:1]/", forbidden, forbidden},
		{"https://[64:ff9b:1::7f00:1]/", forbidden, forbidden},
		{"https://[2002:7f00:1::]/", forbidden, forbidden},
		{"https://[2001:0:7f00:1::]/", forbidden, forbidden},
		{"https://[fe80::1]/", forbidden, forbidden},
		{"https://[fe80::1%25eth0]/", forbidden, forbidden},
		{"https://[::1%25lo]/", forbidden, forbidden},
		{"https://[fd00::1]/", forbidden, anyCode},
		{"https://[fec0::1]/", forbidden, forbidden},
		{"https://[ff02::1]/", forbidden, forbidden},
		{"https://[127.0.0.1]/", forbidden, forbidden},
		{"https://[localhost]/", forbidden, forbidden},
		// 179
		{"https://10.0.0.1/", forbidden, anyCode},
		{"https://172.16.0.1/", forbidden, anyCode},
		{"https://172.31.255.255/", forbidden, anyCode},
		{"https://172.32.0.1/", anyCode, anyCode},
		{"https://192.168.1.1/", forbidden, anyCode},
		{"https://100.64.0.1/", forbidden, anyCode},
		{"https://100.128.0.1/", anyCode, anyCode},
		{"https://169.254.169.254/", forbidden, forbidden},
		{"https://169.254.0.1/", forbidden, forbidden},
		{"https://192.0.0.192/", forbidden, forbidden},
		{"https://198.18.0.1/", forbidden, forbidden},
		{"https://198.19.255.255/", forbidden, forbidden},
		{"https://224.0.0.1/", forbidden, forbidden},
		{"https://240.0.0.1/", forbidden, forbidden},
		{"https://255.255.255.255/", forbidden, forbidden},
		// 180
		{"https://metadata.google.internal/", forbidden, forbidden},
		{"https://metadata/", forbidden, forbidden},
		{"https://100.100.100.200/", forbidden, forbidden},
		{"https://168.63.129.16/", forbidden, forbidden},
		{"https://[fd00:ec2::254]/", forbidden, forbidden},
		{"https://service.internal/", forbidden, anyCode},
		{"https://printer.local/", forbidden, anyCode},
		{"https://intranet/", forbidden, anyCode},
		// 184
		{"https://a@127.0.0.1/", forbidden, forbidden},
		{"https://receiver.example@127.0.0.1/", forbidden, forbidden},
		{"https://a:b@receiver.example/", forbidden, forbidden},
		{"https://@receiver.example/", forbidden, forbidden},
		{"https://receiver.example#@127.0.0.1", forbidden, forbidden},
		{"https://127.0.0.1\\@receiver.example/", forbidden, forbidden},
		// 185
		{"file:///etc/passwd", forbidden, forbidden},
		{"gopher://receiver.example/", forbidden, forbidden},
		{"ftp://receiver.example/", forbidden, forbidden},
		{"unix:/run/x.sock", forbidden, forbidden},
		{"data:text/plain,x", forbidden, forbidden},
		{"https:receiver.example", forbidden, forbidden},
		{"https:///x", forbidden, forbidden},
		{"//receiver.example/", forbidden, forbidden},
		{"receiver.example", forbidden, forbidden},
		{"", forbidden, forbidden},
		// 186
		{"https://receiver.example:22/", port, anyCode},
		{"https://receiver.example:25/", port, anyCode},
		{"https://receiver.example:80/", port, anyCode},
		{"https://receiver.example:5432/", port, anyCode},
		{"https://receiver.example:6379/", port, anyCode},
		{"https://receiver.example:0/", forbidden, forbidden},
		{"https://receiver.example:65979/", forbidden, forbidden}, // 443 + 65536
		{"https://receiver.example:0443/", forbidden, forbidden},
		{"https://receiver.example:/", forbidden, forbidden},
		// 187
		{"https://giro.example/", forbidden, forbidden},
		{"https://GIRO.example:8443/", forbidden, forbidden},
		{"https://127.0.0.1:8080/", forbidden, forbidden},
		{"https://[::1]:8080/", forbidden, forbidden},
		// 188
		{long + "a", forbidden, forbidden},
		{"https://xn--a/", forbidden, forbidden},
		{"https://xn--99999999.example/", forbidden, forbidden},
		{"https://receiver.example./", forbidden, forbidden},
		{"https://receiver.example/%00", forbidden, forbidden},
		{"https://receiver.example/?a=%0d%0aHost:x", forbidden, forbidden},
		{"https://receiver.example%00/", forbidden, forbidden},
		{"https://receiver.example /", forbidden, forbidden},
		{"https://receiver.example/\r\nHost: x", forbidden, forbidden},
		{"https://bücher.example/", forbidden, forbidden},
		{"https://１２７.0.0.1/", forbidden, forbidden},
		{"https://127。0。0。1/", forbidden, forbidden},
		{"https://a..example/", forbidden, forbidden},
		{"https://-a.example/", forbidden, forbidden},
		{"https://" + strings.Repeat("a", 64) + ".example/", forbidden, forbidden},
		{"https://" + strings.Repeat("a.", 127) + "example/", forbidden, forbidden},
	} {
		own := []string{"giro.example", "127.0.0.1:8080", "[::1]:8080"}
		for _, side := range []struct {
			policy webhook.Policy
			want   giro.Code
		}{
			{webhook.Policy{Own: own}, row.public},
			{webhook.Policy{Own: own, AllowPrivate: true}, row.private},
		} {
			err := webhook.CheckURL(row.url, side.policy)
			switch {
			case side.want == anyCode && err != nil:
				t.Errorf("%q, private %v: refused: %v", row.url, side.policy.AllowPrivate, err)
			case side.want != anyCode && !giro.Is(err, side.want):
				t.Errorf("%q, private %v: %v, want %s", row.url, side.policy.AllowPrivate, err, side.want)
			}
		}
	}
}

func TestPortsAreConfigurable(t *testing.T) {
	t.Parallel()
	policy := webhook.Policy{Ports: []uint16{9443}}
	if err := webhook.CheckURL("https://receiver.example:9443/", policy); err != nil {
		t.Error(err)
	}
	if err := webhook.CheckURL("https://receiver.example/", policy); !giro.Is(err, giro.CodePortForbidden) {
		t.Errorf("443 with only 9443 allowed: %v", err)
	}
}

// An accepted URL has one reading: what another parser would connect to is a
// public address or a name.
func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{
		"https://receiver.example/x", "https://127.1/", "https://[::ffff:127.0.0.1]/", "https://0x7f.1/",
		"https://a@b#c", "https://xn--bcher-kva.example:8443/?q", "https://%31/", "http://[fe80::1%25eth0]:80/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		err := webhook.CheckURL(text, webhook.Policy{})
		if err != nil {
			if !giro.Is(err, giro.CodeURLForbidden) && !giro.Is(err, giro.CodePortForbidden) {
				t.Fatalf("%q: refused with %v", text, err)
			}
			return
		}
		if private := webhook.CheckURL(text, webhook.Policy{AllowPrivate: true}); private != nil {
			t.Errorf("%q: allowed in public, refused in private: %v", text, private)
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" || u.Hostname() == "" {
			t.Fatalf("%q: accepted as %+v %v", text, u, err)
		}
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
			if !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.IsLoopback() || addr.Zone() != "" {
				t.Errorf("%q: accepted address %v", text, addr)
			}
		} else if !strings.Contains(u.Hostname(), ".") {
			t.Errorf("%q: accepted name %q", text, u.Hostname())
		}
	})
}
