package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
)

// Resolver looks up what a name says of itself; *net.Resolver is one.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// CheckDomain looks at what others judge mail by: who may send for the domain it comes back to (SPF), whose key signs
// it (DKIM, by its selector), and what is to become of mail that is neither (DMARC). Each is judged where none of the
// others can be. The notes are what is right and worth knowing.
func CheckDomain(ctx context.Context, dns Resolver, from, returnTo, selector string) (notes []string, err error) {
	domain, back := Domain(from), Domain(from)
	if returnTo != "" {
		back = Domain(returnTo)
	}
	spf, errSPF := checkSPF(ctx, dns, back)
	dmarc, errDMARC := checkDMARC(ctx, dns, domain)
	for _, note := range []string{spf, dmarc} {
		if note != "" {
			notes = append(notes, note)
		}
	}
	return notes, errors.Join(errSPF, checkDKIM(ctx, dns, domain, selector), errDMARC)
}

// records are the TXT records of a name that begin with a word; a name that is not there has none.
func records(ctx context.Context, dns Resolver, name, begins string) (found []string, err error) {
	all, err := dns.LookupTXT(ctx, name)
	var unknown *net.DNSError
	if errors.As(err, &unknown) && unknown.IsNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s could not be looked up: %w", name, err)
	}
	for _, text := range all {
		if first, _, _ := strings.Cut(strings.TrimSpace(text), " "); strings.EqualFold(strings.TrimSuffix(first, ";"),
			begins) || strings.HasPrefix(strings.ToLower(text), strings.ToLower(begins)+";") {
			found = append(found, strings.TrimSpace(text))
		}
	}
	return found, nil
}

func checkSPF(ctx context.Context, dns Resolver, domain string) (note string, err error) {
	found, err := records(ctx, dns, domain, "v=spf1")
	switch {
	case err != nil:
		return "", fmt.Errorf("SPF: %w", err)
	case len(found) == 0:
		return "", fmt.Errorf("SPF: %s does not say who may send mail for it; add a TXT record such as "+
			"\"v=spf1 include:(your mail server's) -all\"", domain)
	case len(found) > 1:
		return "", fmt.Errorf("SPF: %s has %d records, which counts as none; keep one", domain, len(found))
	}
	for term := range strings.FieldsSeq(strings.ToLower(found[0])) {
		switch {
		case term == "-all" || term == "~all" || strings.HasPrefix(term, "redirect="):
			return "", nil
		case term == "all" || term == "+all":
			return "", fmt.Errorf("SPF: %s lets everybody send mail for it (%s); end the record with -all", domain,
				term)
		}
	}
	return fmt.Sprintf("SPF: the record of %s does not say what is to become of mail from others; end it with -all",
		domain), nil
}

func checkDKIM(ctx context.Context, dns Resolver, domain, selector string) error {
	if selector == "" {
		return errors.New("DKIM: it is not known which key your mail server signs with; name its selector in " +
			"FOOTBRIDGE_MAIL_DKIM_SELECTOR")
	}
	name := selector + "._domainkey." + domain
	all, err := dns.LookupTXT(ctx, name)
	var unknown *net.DNSError
	if err != nil && !(errors.As(err, &unknown) && unknown.IsNotFound) {
		return fmt.Errorf("DKIM: %s could not be looked up: %w", name, err)
	}
	for _, text := range all {
		for tag := range strings.SplitSeq(text, ";") {
			if key, is := strings.CutPrefix(strings.TrimSpace(tag), "p="); is {
				if strings.TrimSpace(key) == "" {
					return fmt.Errorf("DKIM: the key at %s has been taken back; publish the one that is signed with",
						name)
				}
				return nil
			}
		}
	}
	return fmt.Errorf("DKIM: there is no key at %s; publish the one that your mail server signs with", name)
}

// checkDMARC looks at the domain and, where it has none, at those above it.
func checkDMARC(ctx context.Context, dns Resolver, domain string) (note string, err error) {
	for at := domain; strings.Contains(at, "."); _, at, _ = strings.Cut(at, ".") {
		found, err := records(ctx, dns, "_dmarc."+at, "v=DMARC1")
		switch {
		case err != nil:
			return "", fmt.Errorf("DMARC: %w", err)
		case len(found) > 1:
			return "", fmt.Errorf("DMARC: _dmarc.%s has %d records, which counts as none; keep one", at, len(found))
		case len(found) == 0:
			continue
		}
		if strings.Contains(strings.ReplaceAll(strings.ToLower(found[0]), " ", ""), ";p=none") {
			return fmt.Sprintf("DMARC: _dmarc.%s asks nobody to stop forged mail (p=none)", at), nil
		}
		return "", nil
	}
	return "", fmt.Errorf("DMARC: %s does not say what is to become of forged mail; add a TXT record at _dmarc.%s "+
		"such as \"v=DMARC1; p=quarantine\"", domain, domain)
}
