package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"footbridge/libs/service"
	"footbridge/services/intake/reading"
)

// profileTrees are the folder of senders' profiles that a site adds to the shipped ones, if there is one.
func (c *Config) profileTrees(named ...string) ([]fs.FS, error) {
	if c.Profiles != "" && len(named) == 0 {
		named = []string{c.Profiles}
	}
	var trees []fs.FS
	for _, dir := range named {
		info, err := os.Stat(dir)
		if err != nil {
			return nil, fmt.Errorf("FOOTBRIDGE_PROFILES: %w; name a folder of senders' profiles", err)
		}
		if !info.IsDir() {
			return nil, fmt.Errorf("FOOTBRIDGE_PROFILES: %s is a file; name the folder that it is in", dir)
		}
		trees = append(trees, os.DirFS(dir))
	}
	return trees, nil
}

// loadProfiles reads the shipped profiles and a site's own.
func (c *Config) loadProfiles() (*reading.Profiles, error) {
	trees, err := c.profileTrees()
	if err != nil {
		return nil, err
	}
	return reading.LoadProfiles(append([]fs.FS{reading.ShippedProfileFiles()}, trees...)...)
}

type profileFlags struct {
	JSON bool `env:"JSON" help:"print JSON"`
}

// profiles test [DIR] reads golden samples by the profiles they belong to, without sending or storing anything.
func profiles(ctx context.Context, args []string) error {
	o, rest, err := load[profileFlags](args)
	if err != nil {
		return shown(err)
	}
	if len(rest) == 0 || rest[0] != "test" || len(rest) > 2 {
		return service.Usage{Err: errors.New("footbridge profiles test [DIR]: reads the samples of the shipped " +
			"profiles, and of those in DIR (or FOOTBRIDGE_PROFILES)")}
	}
	trees, err := o.profileTrees(rest[1:]...)
	if err != nil {
		return err
	}
	lines, err := reading.DryRun(trees...)
	if err != nil {
		return err
	}
	wrong := 0
	for _, line := range lines {
		wrong += min(len(line.Wrong), 1)
	}
	if o.Own.JSON {
		err = printJSON(lines)
	} else {
		err = table(func(w io.Writer) { printSamples(w, lines) })
	}
	if err == nil && wrong > 0 {
		err = fmt.Errorf("%d of %d messages are not read as expected", wrong, len(lines))
	}
	return err
}

func printSamples(w io.Writer, lines []reading.SampleLine) {
	fmt.Fprintln(w, "PROFILE\tSAMPLE\tCONTROL ID\tTYPE\tANSWER\tOUTCOME\tREASON\tAS EXPECTED")
	for _, l := range lines {
		as := "yes"
		if len(l.Wrong) > 0 {
			as = "NO: " + strings.Join(l.Wrong, "; ")
		}
		fmt.Fprintf(w, "%s %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Profile, l.Version,
			strings.TrimSuffix(l.Sample, ".hl7"), l.Control, l.Type, l.Ack, l.Outcome, l.Reason, as)
	}
}
