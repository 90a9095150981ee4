/*
 * The exchange of events (libs/flow) as a model that spin can search exhaustively.
 *
 * Two processes of one publishing service, one stream, and one subscribing service. Each option of a process below is
 * one step of libs/flow and carries its name there. Faults come at any moment, FAULTS of them in a run: a process is
 * killed or paused, a commit is not answered, the broker loses what it had not synced, the stream is purged or made
 * again, an acknowledgement is lost, the clock leaps, the subscriber's database is restored alone.
 *
 * Claims, checked in every reachable state:
 *   never twice   an event has at most one effect, and an event that never committed has none;
 * and in every state in which nothing is left to do:
 *   never lost    an event that committed has had its effect, or is a dead letter that a human can see.
 *
 * A run ends because steps are taken only where there is something to do, and faults are counted. Compile with one of
 * these to take a mend away; spin then finds how an event is lost or doubled (see check.sh):
 *   NO_FENCE              transactions do not take the writer's fence
 *   RETENTION_BY_CLOCK    old days of the outbox are dropped whether or not they are settled
 *   PURGE_AT_AGE_UNSEEN   a purge of a stream older than its own age limit is taken for age
 *   REDRIVE_WITHOUT_VALUE redriving a dead letter counts, instead of setting a value that may be set already
 *   FLOOR_WITHOUT_LOOK    what was acknowledged some time ago is taken for stored, whether or not anybody has looked
 *   PUBLISH_BEFORE_COMMIT events leave before their transaction has ended
 *   REBUILD_AT_ONCE       a rebuild does not wait until the broker has forgotten the ids of what a purge removed
 *   ACK_ACROSS_READINGS   what was heard before the broker lost its tail, or the stream was made again, is acknowledged
 */

#define EVENTS 2
#ifndef FAULTS
#define FAULTS 2
#endif
#define PROCS   2
#define WRITERS 5   /* rows of outbox_writer over a run */
#define SLOTS   9   /* messages a stream can hold in a run */
#define EPOCHS  3   /* connections to the broker over a run */
#define NOBODY  PROCS
#define NONE    255

/* ---- the publisher's database (survives everything) ---- */
bool committed[EVENTS];     /* its row stands in the outbox */
bool dropped[EVENTS];       /* retention has taken the row's day away */
bool synced[EVENTS];        /* synced_upto covers it: acknowledged so long ago that the broker has it on disk */
byte by[EVENTS];            /* the writer it was committed under */
bool closed[WRITERS];
byte owner[WRITERS];        /* the process that answers for publishing what this writer committed */
byte underway[WRITERS];     /* transactions holding this writer's fence */
byte writers;               /* rows made so far */
byte knownCreated;          /* outbox_stream.created */
byte knownFirst;            /* outbox_stream.first_seq */
byte rebuiltSeq = NONE;     /* outbox_stream.rebuilt_seq and rebuilt_id */
byte rebuiltId;

/* ---- the publisher's processes (memory is lost when killed) ---- */
bool up[PROCS+1];          /* the last is nobody: who answered for a writer was killed */
byte cur[PROCS];            /* writer for new events */
byte txn[PROCS];            /* event whose transaction is open, or NONE */
byte doubt[PROCS];          /* event whose commit was not answered, or NONE */
byte doubtWriter[PROCS];
bool toPublish[PROCS*EVENTS];
bool settled[PROCS*EVENTS]; /* tracker: acknowledged */
bool sweep[PROCS];          /* tracker: publish again from the outbox */
byte lastSeq[PROCS*EPOCHS]; /* tracker: furthest position acknowledged over each connection, and whose message is there */
byte lastId[PROCS*EPOCHS];
bool rebuilding[PROCS];
byte rebuildCreated[PROCS];
byte rebuildFirst[PROCS];
byte rebuildSeq[PROCS];
byte rebuildId[PROCS];
bool toRebuild[PROCS*EVENTS];
#define AT(p, e) ((p)*EVENTS+(e))
#define LAST(p, c) ((p)*EPOCHS+(c))

/* ---- the broker ---- */
byte slot[SLOTS];           /* event at a sequence */
byte tail, onDisk;          /* next sequence; how far it is on disk */
byte first;                 /* first sequence kept */
byte epoch;                 /* connections so far */
byte created = 1;           /* stands for the stream's creation time */
bool old;                   /* the stream is older than its own age limit */
byte idAt[EVENTS];          /* where the message is whose id the broker remembers, so that it takes no repetition; or NONE */

/* ---- the subscriber: its durable, its database ---- */
bool done[SLOTS];           /* acknowledged by the durable */
byte high = NONE;           /* furthest message applied, and which it was (Flow.position) */
byte highId;
byte held = NONE;           /* the number of the message that is under way: applied or buried, not acknowledged yet */
byte heldId;
bool heldBefore;            /* it was heard in an earlier reading (flow.heard) */
bool gate[EVENTS];          /* the value that this event sets is set: coming again changes nothing (ADR 20) */
bool dead[EVENTS];          /* a dead letter, payload kept */
byte effect[EVENTS];
bool poison[EVENTS];        /* cannot be applied by the code as it is */
bool leapt;                 /* the clock says that every day is old */

bool early[EVENTS];         /* published before its commit (a mutation) */

byte faults = FAULTS;
byte next;                  /* event to say next */
byte i;

inline newWriter(p) {
	cur[p] = writers; owner[writers] = p; writers++
}

/* forget: what a process loses when it is killed. */
inline forget(p) {
	if :: txn[p] != NONE ->
#ifndef NO_FENCE
		underway[cur[p]]--;
#endif
		txn[p] = NONE
	:: else fi;
	doubt[p] = NONE; sweep[p] = false; forgetLast(p); rebuilding[p] = false; i = 0;
	do :: i < WRITERS -> if :: owner[i] == p -> owner[i] = NOBODY :: else fi; i++ :: else -> break od;
	i = 0;
	do :: i < EVENTS -> toPublish[AT(p,i)] = false; settled[AT(p,i)] = false; toRebuild[AT(p,i)] = false; i++
	   :: else -> break od; i = 0
}

/* release: the transaction has ended, and with it its hold on the fence. */
inline release(p) {
	txn[p] = NONE;
#ifndef NO_FENCE
	underway[cur[p]]--
#endif
}

/* startOver: the durable is made again and reads the stream from its first message. */
inline startOver() {
	high = NONE; i = 0;
	do :: i < SLOTS -> done[i] = false; i++ :: else -> break od; i = 0
}

/* forgetLast: no proof is asked for any more. */
inline forgetLast(p) { lastSeq[LAST(p,0)] = NONE; lastSeq[LAST(p,1)] = NONE; lastSeq[LAST(p,2)] = NONE }

inline append(e) { slot[tail] = e; done[tail] = false; idAt[e] = tail; tail++ }

/* publish: a message whose id the broker remembers is not stored again; it is acknowledged where it was. It may have
 * forgotten the id by then. */
inline publish(e) { if :: append(e) :: idAt[e] != NONE -> skip fi }

/* forgetIds: after a start the broker remembers the ids of what it still has. */
inline forgetIds() {
	if :: idAt[0] != NONE && idAt[0] >= tail -> idAt[0] = NONE :: else fi;
	if :: idAt[1] != NONE && idAt[1] >= tail -> idAt[1] = NONE :: else fi
}

/* newReading: the connection or the durable is another one. */
inline newReading() { if :: held != NONE -> heldBefore = true :: else fi }

#define inStream(q)   (q >= first && q < tail)
#define mine(p, e)    (committed[e] && !dropped[e] && owner[by[e]] == p)
#define lostAt(c)     (lastSeq[c] != NONE && lastSeq[c] >= first && (lastSeq[c] >= tail || slot[lastSeq[c]] != lastId[c]))
#define lostTail(p)   (lostAt(LAST(p,0)) || lostAt(LAST(p,1)) || lostAt(LAST(p,2)))

/* forgetFormer: what was in a stream that is no more proves nothing about the new one. */
inline forgetFormer(p) {
	if :: created != knownCreated && lostAt(LAST(p,0)) -> lastSeq[LAST(p,0)] = NONE :: else fi;
	if :: created != knownCreated && lostAt(LAST(p,1)) -> lastSeq[LAST(p,1)] = NONE :: else fi;
	if :: created != knownCreated && lostAt(LAST(p,2)) -> lastSeq[LAST(p,2)] = NONE :: else fi
}

#define lostRebuilt   (rebuiltSeq != NONE && rebuiltSeq >= first && (rebuiltSeq >= tail || slot[rebuiltSeq] != rebuiltId))
#ifdef PURGE_AT_AGE_UNSEEN
#define purged        (first > knownFirst && !old)
#else
#define purged        (first > knownFirst)
#endif
#define evidence      (created != knownCreated || purged || lostRebuilt)
/* Flow.rebuildOnceForgotten: the broker has forgotten the ids of what is gone. */
inline waitForgotten() {
#ifndef REBUILD_AT_ONCE
	if :: idAt[0] != NONE && idAt[0] < first -> idAt[0] = NONE :: else fi;
	if :: idAt[1] != NONE && idAt[1] < first -> idAt[1] = NONE :: else fi
#else
	skip
#endif
}
#define nobodyRebuilds (!rebuilding[0] && !rebuilding[1])
#define unsent(p, e)  (mine(p, e) && !settled[AT(p,e)] && !synced[e])

/* Steps that concern one event, for each of the two. */
#ifdef PUBLISH_BEFORE_COMMIT
#define EAGER(e) :: atomic { up[p] && txn[p] == e && !early[e] && tail < SLOTS -> early[e] = true; append(e) }
#else
#define EAGER(e)
#endif
/* Flow.publishAll, acknowledged; or the acknowledgement is lost and a sweep is asked for. */
#define PUBLISH(e) :: atomic { up[p] && toPublish[AT(p,e)] && tail < SLOTS -> \
	toPublish[AT(p,e)] = false; publish(e); \
	if :: settled[AT(p,e)] = true; \
	      if :: lastSeq[LAST(p,epoch)] == NONE || idAt[e] > lastSeq[LAST(p,epoch)] -> \
	         lastSeq[LAST(p,epoch)] = idAt[e]; lastId[LAST(p,epoch)] = e :: else fi \
	   :: faults > 0 -> faults--; sweep[p] = true fi }
/* Flow.beat: synced_upto, lagged until the broker has synced, and only if a look since then has found the stream whole:
 * a broker that comes back later than the lag may still have lost it (FLOOR_WITHOUT_LOOK: as it once was). */
#ifdef FLOOR_WITHOUT_LOOK
#define whole(p) true
#else
#define whole(p) (!lostTail(p) && !evidence)
#endif
#define BEAT(e) :: atomic { up[p] && mine(p,e) && settled[AT(p,e)] && !synced[e] && onDisk >= tail && whole(p) -> synced[e] = true }
#define REBUILD(e) :: atomic { up[p] && rebuilding[p] && toRebuild[AT(p,e)] && tail < SLOTS -> \
	toRebuild[AT(p,e)] = false; publish(e); \
	if :: rebuildSeq[p] == NONE || idAt[e] > rebuildSeq[p] -> rebuildSeq[p] = idAt[e]; rebuildId[p] = e :: else fi }
/* Flow.lookForStale and takeOver: of a dead process, or of one that only stands still (a fault). */
#define TAKEOVER(w) :: atomic { up[p] && w < writers && owner[w] != p && underway[w] == 0 && (!up[owner[w]] || faults > 0) -> \
	if :: up[owner[w]] -> faults-- :: else fi; \
	closed[w] = true; owner[w] = p; sweep[p] = true }

proctype Process(byte p) {
	byte e;
end:
	do
	/* Flow.do: begin, with flow_fence. A closed writer is replaced (renewWriter). */
#ifdef NO_FENCE
	:: atomic { up[p] && txn[p] == NONE && doubt[p] == NONE && next < EVENTS -> txn[p] = next; next++ }
#else
	:: atomic { up[p] && txn[p] == NONE && doubt[p] == NONE && next < EVENTS && !closed[cur[p]] ->
		txn[p] = next; next++; underway[cur[p]]++ }
#endif
	:: atomic { up[p] && closed[cur[p]] && txn[p] == NONE && doubt[p] == NONE && writers < WRITERS -> newWriter(p) }
	EAGER(0) EAGER(1)
	/* Tx.commit, answered: publish from memory. */
	:: atomic { up[p] && txn[p] != NONE ->
		e = txn[p]; release(p); committed[e] = true; by[e] = cur[p]; toPublish[AT(p,e)] = true; e = 0 }
	/* Rolled back: the event was never said, and whoever asked does it again. */
	:: atomic { up[p] && txn[p] != NONE && faults > 0 -> faults--; release(p) }
	/* Tx.commit, not answered: the database has it or not; the process does not know. */
	:: atomic { up[p] && txn[p] != NONE && faults > 0 && writers < WRITERS ->
		faults--; e = txn[p]; release(p); doubt[p] = e; doubtWriter[p] = cur[p];
		if :: committed[e] = true; by[e] = cur[p] :: skip fi; e = 0 }
	/* Tx.settle: close the own writer (retire), then look for its row. */
	:: atomic { up[p] && doubt[p] != NONE && underway[doubtWriter[p]] == 0 && writers < WRITERS ->
		if :: cur[p] == doubtWriter[p] -> closed[cur[p]] = true; newWriter(p) :: else fi;
		if :: committed[doubt[p]] && owner[doubtWriter[p]] == p -> sweep[p] = true :: else fi;
		doubt[p] = NONE }
	PUBLISH(0) PUBLISH(1)
	/* Flow.sweep. */
	:: atomic { up[p] && sweep[p] ->
		e = 0; sweep[p] = false;
		do :: e < EVENTS -> if :: unsent(p,e) -> toPublish[AT(p,e)] = true :: else fi; e++ :: else -> break od; e = 0 }
	BEAT(0) BEAT(1)
	/* Flow.verifyTail: the last acknowledged message is not where it was. */
	:: atomic { up[p] && lostTail(p) ->
		forgetLast(p); sweep[p] = true; e = 0;
		do :: e < EVENTS -> if :: !synced[e] -> settled[AT(p,e)] = false :: else fi; e++ :: else -> break od; e = 0 }
	/* Flow.verify and Flow.rebuild: one process of the service, the whole outbox, then what was seen is remembered. What
	 * is known of the stream is read again under the rebuild's lock, after the waiting: the evidence and the beginning are
	 * one step, so that what one process has rebuilt is not rebuilt by the other. */
	:: atomic { up[p] && evidence && nobodyRebuilds ->
		waitForgotten();
		rebuilding[p] = true; rebuildCreated[p] = created; rebuildFirst[p] = first; rebuildSeq[p] = NONE; e = 0;
		forgetFormer(p);
		do :: e < EVENTS -> toRebuild[AT(p,e)] = (committed[e] && !dropped[e]); e++ :: else -> break od; e = 0 }
	REBUILD(0) REBUILD(1)
	:: atomic { up[p] && rebuilding[p] && !toRebuild[AT(p,0)] && !toRebuild[AT(p,1)] ->
		rebuilding[p] = false; knownCreated = rebuildCreated[p]; knownFirst = rebuildFirst[p];
		rebuiltSeq = rebuildSeq[p]; rebuiltId = rebuildId[p] }
	TAKEOVER(0) TAKEOVER(1) TAKEOVER(2) TAKEOVER(3) TAKEOVER(4)
	/* Killed at any moment. */
	:: atomic { up[p] && faults > 0 -> faults--; up[p] = false; forget(p) }
	/* Started again; the other one may never be. */
	:: atomic { !up[p] && writers < WRITERS && !up[1-p] -> up[p] = true; newWriter(p) }
	od
}

/* CALM leaves out the faults of broker, clock and subscriber: a smaller search, for what processes do to each other. */
proctype Broker() {
end:
	do
	/* Its disk is synced. */
	:: atomic { onDisk < tail -> onDisk = tail }
#ifndef CALM
	/* Power lost: what was not on disk is gone, and its sequences are given out again. The durable may remember more. */
	:: atomic { faults > 0 && onDisk < tail && epoch < EPOCHS-1 -> faults--; epoch++; tail = onDisk; forgetIds(); newReading();
		if :: first > tail -> first = tail :: else fi }
	/* Purged by hand, while young, or when older than its age limit. */
	:: atomic { faults > 0 && first < tail -> faults--; if :: old = true :: skip fi; first = tail; onDisk = tail }
	/* Deleted and made again, the durable with it. */
	:: atomic { faults > 0 && created < 4 -> faults--; created++; tail = 0; onDisk = 0; first = 0; old = false;
		forgetIds(); newReading(); startOver() }
#endif
	od
}

/* Flow.process: apply or bury, then acknowledge (acknowledge). Between the two the broker may do anything; the
 * acknowledgement may be lost and the message come again. A dead letter leaves no mark: its event may come again when the
 * cause is mended, and is applied then. */
#define DELIVER(s) :: atomic { held == NONE && s >= first && s < tail && !done[s] -> \
	e = slot[s]; \
	if :: gate[e] -> skip /* a duplicate */ \
	   :: !gate[e] && poison[e] -> dead[e] = true \
	   :: !gate[e] && !poison[e] -> gate[e] = true; effect[e]++; assert(committed[e]); assert(effect[e] == 1) fi; \
	if :: acknowledge(s, e) \
	   :: faults > 0 -> faults-- \
	   :: faults > 0 -> held = s; heldId = e fi; e = 0 }
inline acknowledge(s, e) { done[s] = true; if :: high == NONE || s > high -> high = s; highId = e :: else fi }
/* heard.Ack: by its number, unless the number may be another's by now. */
#ifdef ACK_ACROSS_READINGS
#define stands        true
#else
#define stands        (!heldBefore)
#endif
/* The cause is mended; a human redrives, sooner or later: applied and no dead letter any more, in one transaction. One that
 * came again meanwhile has had its effect. */
#define MEND(x) :: atomic { dead[x] && poison[x] -> poison[x] = false }
#ifdef REDRIVE_WITHOUT_VALUE
#define REDRIVE(x) :: atomic { dead[x] && !poison[x] -> dead[x] = false; effect[x]++; assert(effect[x] == 1) }
#else
#define REDRIVE(x) :: atomic { dead[x] && !poison[x] -> dead[x] = false; \
	if :: gate[x] -> skip :: else -> gate[x] = true; effect[x]++; assert(effect[x] == 1) fi }
#endif

proctype Subscriber() {
	byte s, e;
end:
	do
	/* Flow.durable: the consumer is ahead of a stream that has lost its tail, or was made again: from the start. */
	:: atomic { high != NONE && high >= first && (high >= tail || slot[high] != highId) -> startOver() }
	:: atomic { held != NONE ->
		if :: stands && held < tail -> if :: heldBefore -> done[held] = true :: else -> acknowledge(held, heldId) fi
		   :: else fi;
		held = NONE; heldBefore = false; heldId = 0 }
	DELIVER(0) DELIVER(1) DELIVER(2) DELIVER(3) DELIVER(4) DELIVER(5) DELIVER(6) DELIVER(7) DELIVER(8)
	MEND(0) MEND(1) REDRIVE(0) REDRIVE(1)
#ifndef CALM
	/* Its database is restored alone, to before everything; footbridge restored starts its durable over, and asks the
	 * publishers to rebuild. */
	:: atomic { faults > 0 && (effect[0] > 0 || effect[1] > 0) -> faults--; s = 0;
		do :: s < EVENTS -> gate[s] = false; dead[s] = false; effect[s] = 0; s++ :: else -> break od;
		s = 0; newReading(); startOver(); knownCreated = 0 }
#endif
	od
}

/* Flow.keepRetention. By honest time a day is dropped when its events have long been applied; a clock that leapt only
 * says so. Nothing unsettled is dropped, and a leap against the database's clock stops retention. */
#ifdef RETENTION_BY_CLOCK
#define RETAIN(e) :: atomic { leapt && committed[e] && !dropped[e] -> dropped[e] = true }
#else
#define RETAIN(e) :: atomic { !leapt && faults == 0 && committed[e] && !dropped[e] && synced[e] && effect[e] == 1 -> dropped[e] = true }
#endif

proctype Retention() {
end:
	do
#ifndef CALM
	:: atomic { faults > 0 && !leapt -> faults--; leapt = true }
#endif
	RETAIN(0) RETAIN(1)
	od
}

/* When nothing is left to do. */
proctype Judge() {
	byte e;
	timeout;
	do
	:: e < EVENTS ->
		assert(!committed[e] || effect[e] == 1 || dead[e]);
		assert(committed[e] || effect[e] == 0);
		e++
	:: else -> break
	od
}

init {
	atomic {
		i = 0;
		do :: i < PROCS -> txn[i] = NONE; doubt[i] = NONE; forgetLast(i); i++ :: else -> break od;
		up[0] = true; newWriter(0); up[1] = true; newWriter(1);
		knownCreated = 1; idAt[0] = NONE; idAt[1] = NONE; if :: poison[0] = true :: skip fi;
		i = 0;
		run Process(0); run Process(1); run Broker(); run Subscriber(); run Retention(); run Judge()
	}
}
