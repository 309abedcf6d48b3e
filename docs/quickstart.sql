-- The second half of ./quickstart: what the models answer, why, and how an answer is corrected. Changes nothing.
\set ON_ERROR_STOP on
\set QUIET on
\set VERBOSITY terse
\pset footer off

\echo
\echo 'The report of the training (its first lines): training_report()'
\pset tuples_only on
\pset format unaligned
select line
from ai_model_versions as version,
  lateral string_to_table(training_report(version.run_id, 'text'), E'\n') with ordinality as report (line, number)
where version.model_name = 'banking77' and version.is_active and number <= 24
order by number;
\pset format aligned
\pset tuples_only off

\echo
\echo 'Messages the model has not seen: predict_intent()'
select m.message, p.predicted_intent, round(p.confidence::numeric, 3) as confidence, p.decision
from (values
    (1, 'I lost my wallet and my card with it'),
    (2, 'the ATM gave me less money than I asked for'),
    (3, 'how long until my transfer arrives'),
    (4, 'tell me a story about dragons')) as m (number, message),
  lateral predict_intent(m.message, 'banking77') as p
order by m.number;

\echo 'Spanish, with accents and without:'
select m.message, p.predicted_intent, round(p.confidence::numeric, 3) as confidence, p.decision
from (values
    (1, '¿qué desarrolla vuestra compañía?'),
    (2, 'QUE DESARROLLA VUESTRA COMPANIA'),
    (3, 'buenas noches')) as m (number, message),
  lateral predict_intent(m.message, 'soporte') as p
order by m.number;

\echo 'Why: the features that decided it: explain_intent()'
select feature, kind, round(contribution::numeric, 3) as contribution
from explain_intent('I lost my wallet and my card with it', 'banking77', p_top => 6);

\echo 'A correction is the answer from the next call on, before any training: record_interaction(), submit_intent_correction()'
begin;
select record_interaction('the machine swallowed my plastic', p_model_name => 'banking77') as id \gset
select 'before' as "when", predicted_intent, round(confidence::numeric, 3) as confidence, decision_source as source
from predict_intent('the machine swallowed my plastic', 'banking77');
select submit_intent_correction(:'id', 'card_swallowed') \gset
select 'corrected' as "when", predicted_intent, round(confidence::numeric, 3) as confidence, decision_source as source
from predict_intent('The machine swallowed my plastic!', 'banking77')
union all
select 'corrected', predicted_intent, round(confidence::numeric, 3), decision_source
from predict_intent('the machine swallowed my plastic', 'banking77');

\echo 'It is a row like any other: rolled back, it never was'
rollback;
select 'rolled back' as "when", predicted_intent, round(confidence::numeric, 3) as confidence, decision_source as source
from predict_intent('the machine swallowed my plastic', 'banking77');
