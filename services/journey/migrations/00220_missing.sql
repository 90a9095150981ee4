-- +goose Up
-- What is asked for is kept with the question. Of journeys stored before that was so, it is read from the newest line of
-- their timeline that asks; without it the step that asks would be lost at their next event.
update journey j set known = jsonb_set(j.known, '{missing,facts}', asked.facts)
from (select distinct on (journey) journey, details -> 'facts' as facts from timeline_entry
    where type = 'care.footbridge.information.needed.v1' and jsonb_typeof(details -> 'facts') = 'array'
    order by journey, at desc, event desc) asked
where asked.journey = j.id and j.known ? 'missing' and not j.known -> 'missing' ? 'facts';
