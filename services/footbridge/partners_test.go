package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"footbridge/libs/bus"
	"footbridge/libs/clock"
	"footbridge/libs/testkit"
	"footbridge/services/delivery"
)

// TestAPartnersLoginThatWasPrintedReadsItsOwnEvents: a broker of the site's own, with what footbridge keys nats prints,
// lets a partner in that was listed, and to its own events alone.
func TestAPartnersLoginThatWasPrintedReadsItsOwnEvents(t *testing.T) {
	t.Parallel()
	c := &Config{StateDir: t.TempDir(), development: true}
	if err := c.newKeys(); err != nil {
		t.Fatal(err)
	}
	partners := []string{clock.NewRandomID(), clock.NewRandomID()}
	pairs := map[string]nkeys.KeyPair{}
	for _, id := range partners {
		pair, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		key, _ := pair.PublicKey()
		pairs[id], c.NATSPartners = pair, append(c.NATSPartners, id+"="+key)
	}
	url := startPrinted(t, c)
	owner := connectAs(t, c, url, ownerName, "_INBOX")
	_, stream := c.streams()
	if _, err := owner.EnsureStream(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	for _, id := range partners {
		if _, err := owner.EnsureDurable(t.Context(), delivery.BrokerDurable(stream.Name, id)); err != nil {
			t.Fatal(err)
		}
	}
	from := connectAs(t, c, url, delivery.Name, bus.InboxOf(delivery.Name))
	if _, err := from.JS.Publish(t.Context(), "partner."+partners[0]+".offer.sent.v1", []byte("first")); err != nil {
		t.Fatal(err)
	}
	if got, err := readAs(t, url, pairs[partners[0]], partners[0], partners[0], testkit.Patience); err != nil ||
		got != "first" {
		t.Errorf("its own: %q %v", got, err)
	}
	if got, err := readAs(t, url, pairs[partners[1]], partners[1], partners[0], time.Second); err == nil {
		t.Errorf("another's: %q", got)
	}
}

// startPrinted starts a broker with the printed users, until the test ends.
func startPrinted(t *testing.T, c *Config) string {
	t.Helper()
	var users bytes.Buffer
	if err := c.printNATS(&users); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "nats.conf")
	text := "listen: 127.0.0.1:-1\njetstream { store_dir: \"" + t.TempDir() + "\" }\n" + users.String()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	options.NoLog, options.NoSigs = true, true
	ns, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(testkit.Patience) {
		t.Fatal("the broker does not start")
	}
	return ns.ClientURL()
}

func connectAs(t *testing.T, c *Config, url, name, inbox string) *bus.Conn {
	t.Helper()
	c.NATSURL = url
	login, err := c.login(name, name)
	if err != nil {
		t.Fatal(err)
	}
	login.Inbox = inbox
	return testkit.Connect(t, login)
}

func readAs(t *testing.T, url string, pair nkeys.KeyPair, as, durable string, patience time.Duration) (string, error) {
	t.Helper()
	key, _ := pair.PublicKey()
	conn, err := nats.Connect(url, nats.Nkey(key, pair.Sign), nats.CustomInboxPrefix(bus.InboxOf(as)),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	consumer, err := js.Consumer(ctx, "FOOTBRIDGE_PARTNERS", durable)
	if err != nil {
		return "", err
	}
	msg, err := consumer.Next(jetstream.FetchContext(ctx))
	if err != nil {
		return "", err
	}
	return string(msg.Data()), msg.DoubleAck(ctx)
}

func TestAPartnerOfTheBrokerIsAnIdAndAPublicKey(t *testing.T) {
	t.Parallel()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	key, _ := pair.PublicKey()
	seed, _ := pair.Seed()
	if _, err := (&Config{NATSPartners: []string{clock.NewRandomID() + "=" + key}}).natsPartners(); err == nil {
		t.Error("partners of a system with real people are given logins of the services' broker")
	}
	for _, wrong := range []string{"", "x", clock.NewRandomID(), clock.NewRandomID() + "=", "peers=" + key,
		clock.NewRandomID() + "=" + strings.ToLower(key), clock.NewRandomID() + "=" + string(seed)} {
		if _, err := (&Config{NATSPartners: []string{wrong}, development: true}).natsPartners(); err == nil {
			t.Errorf("%q is taken", wrong)
		} else if strings.Contains(err.Error(), string(seed)) {
			t.Error("the error quotes a private key")
		}
	}
}
