package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"footbridge/libs/flow"
	"footbridge/libs/httpx"
	"footbridge/libs/operations"
	"footbridge/libs/principal"
	"footbridge/schemas"
)

// figuresOf makes the source of a service's figures for operators; more are those of its own, or nil.
func (p *process) figuresOf(name string, f *flow.Flow, pool *pgxpool.Pool, more operations.More) *operations.Source {
	return &operations.Source{Service: name, Flow: f, Pool: pool, Clock: p.clock, Log: p.telemetry[name].Log,
		More: more, SeesAll: func(role string) bool { return role == string(schemas.Operator) },
		Everyone: principal.Principal{Organisation: p.cfg.Organisation, Role: string(schemas.Operator), Subject: name}}
}

// withFigures serves a service's figures beside its paths, to those who may ask for them.
func withFigures(source *operations.Source, routes routing) routing {
	return func(mux *httpx.Mux) error {
		if err := routes(mux); err != nil {
			return err
		}
		return httpx.Register(mux, schemas.FiguresRoutes(source.Service), map[string]httpx.Handler{
			"GET " + operations.FiguresPath:  source.ServeFigures,
			"POST " + operations.RedrivePath: source.ServeRedrive,
		}, principal.Guard)
	}
}

// keeping runs a service's doors, and keeps how its figures stand beside them.
func keeping(source *operations.Source, doors func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		kept := make(chan struct{})
		go func() {
			defer close(kept)
			source.Keep(ctx)
		}()
		var err error
		if doors != nil {
			err = doors(ctx)
		}
		<-kept
		return err
	}
}
