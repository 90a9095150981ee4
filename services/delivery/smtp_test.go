package delivery

import (
	"net/smtp"
	"strings"
)

// bring brings a mail to a server, as another server does: without a sender, as what comes back has none.
func bring(addr, to, text string) error {
	client, err := smtp.Dial(addr)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if err := client.Mail(""); err != nil {
		return err
	}
	if err := client.Rcpt(to); err != nil {
		return err
	}
	data, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := strings.NewReader(text).WriteTo(data); err != nil {
		return err
	}
	if err := data.Close(); err != nil {
		return err
	}
	return client.Quit()
}
