package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"footbridge/libs/pg/wrapped"
	"footbridge/libs/vault"
	"footbridge/schemas"
	"footbridge/services/delivery"
	"footbridge/services/gateway/workers"
	"footbridge/services/intake"
)

// wrapping is a key file that wraps the keys that one service keeps in its database.
type wrapping struct {
	Service, Path string
	Whose         string // keys, in words
	Without       string // what does not work without it; empty: the service does not start
	Tables        []wrapped.Table
}

// wrappings are all key files that wrap keys, each for one service alone.
func (c *Config) wrappings() []wrapping {
	return []wrapping{
		{schemas.Intake, orElse(c.KEKFile, filepath.Join(c.StateDir, "kek")), "people and their messages", "",
			intake.KeyTables},
		{schemas.Gateway, filepath.Join(c.keysFolder(), "workers.kek"), "partners' workers",
			"partners' workers cannot sign in", workers.KeyTables},
		{schemas.Delivery, filepath.Join(c.keysFolder(), "delivery.kek"), "partners' endpoints",
			"nothing is sent to partners' endpoints", delivery.KeyTables},
	}
}

// wrappingOf is the key file of a service that has one.
func (c *Config) wrappingOf(name string) wrapping {
	all := c.wrappings()
	return all[slices.IndexFunc(all, func(w wrapping) bool { return w.Service == name })]
}

func (c *Config) kekFile() string { return c.wrappingOf(schemas.Intake).Path }

// there says whether the key file is on this machine.
func (w wrapping) there() bool {
	_, err := os.Stat(w.Path)
	return !errors.Is(err, fs.ErrNotExist)
}

// makeWrappings makes the key files that are not there, and tells of each that it made.
func (c *Config) makeWrappings(made func(wrapping)) error {
	for _, w := range c.wrappings() {
		if w.there() {
			continue
		}
		if err := vault.CreateFile(w.Path); errors.Is(err, fs.ErrExist) {
			continue // another process was quicker
		} else if err != nil {
			return err
		}
		made(w)
	}
	return nil
}

// rotateKEKs adds a new key to each key file that wraps keys and is on this machine. The older ones stay in it: stored
// keys and backups are read with them.
func (c *Config) rotateKEKs() error {
	rotated := 0
	for _, w := range c.wrappings() {
		if !w.there() {
			continue
		}
		if err := vault.RotateFile(w.Path); err != nil {
			return err
		}
		rotated++
		fmt.Printf("%s has a new key, which wraps the keys of %s from now on; the older ones stay in it for reading\n"+
			"Next: give the file to every process of %s that has a copy, and keep a copy of it; then footbridge keys "+
			"rewrap.\n", w.Path, w.Whose, w.Service)
	}
	if rotated == 0 {
		return fmt.Errorf("there is no key file here that wraps keys, such as %s: footbridge keys new makes them",
			c.kekFile())
	}
	return nil
}

// rewrapKeys wraps stored keys under the newest key of each key file that is on this machine, while services run.
func (c *Config) rewrapKeys(ctx context.Context, asJSON bool) error {
	done, some := map[string]int64{}, false
	var err error
	for _, w := range c.wrappings() {
		if w.there() {
			some = true
			err = errors.Join(err, c.rewrap(ctx, w, func(table string, n, of int64) {
				done[table] = n
				if !asJSON {
					fmt.Printf("%s: %d of %d wrapped again\n", table, n, of)
				}
			}))
		}
	}
	if !some {
		_, err = c.openVault()
	}
	if asJSON {
		err = errors.Join(err, printJSON(done))
	}
	return err
}

func (c *Config) rewrap(ctx context.Context, w wrapping, progress func(table string, done, of int64)) error {
	keys, err := vault.OpenFile(w.Path)
	if err != nil {
		return err
	}
	pool, err := c.openDatabase(ctx, w.Service, 2)
	if err != nil {
		return err
	}
	defer pool.Close()
	return wrapped.Rewrap(ctx, pool, keys, progress, w.Tables...)
}

// checkVaults is doctor's look at the key files that wrap keys: whether each opens what the database of its service
// holds, and what is left to wrap again. Without intake's nothing can be read; of the others what is there is looked
// at, and the look at key files says what is not.
func (c *Config) checkVaults(ctx context.Context) (note string, err error) {
	var notes []string
	for _, w := range c.wrappings() {
		if w.Service != schemas.Intake && !w.there() {
			continue
		}
		older, wrong := c.checkWrapping(ctx, w)
		err = errors.Join(err, wrong)
		if wrong == nil && older > 0 {
			notes = append(notes, fmt.Sprintf("%d stored keys of %s are wrapped under an older key: footbridge keys "+
				"rewrap", older, w.Whose))
		}
	}
	return strings.Join(notes, "; "), err
}

func (c *Config) checkWrapping(ctx context.Context, w wrapping) (older int64, err error) {
	var keys *vault.Vault
	if w.Service == schemas.Intake {
		keys, err = c.openVault()
	} else {
		keys, err = vault.OpenFile(w.Path)
	}
	if err != nil {
		return 0, err
	}
	pool, err := c.openDatabase(ctx, w.Service, 1)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	counts, err := wrapped.Check(ctx, pool, keys, w.Tables...)
	for _, one := range counts {
		older += one.Older
	}
	return older, err
}
