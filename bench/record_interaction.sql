-- pgbench script: one message of one of 5 000 conversations, without an intent and without a category, so that each call
-- predicts, files the message and judges the turn before it. bench/record_interaction.sh runs it.
\set client_message random(1, 20)
\set conversation random(1, 5000)
select record_interaction(
  (array['¿dónde está mi pedido?', 'no me gusta, quiero devolverlo', 'perfecto, gracias', 'necesito la factura del mes pasado',
    'sí', 'cuéntame más', '¿cuánto cuesta el envío a domicilio?', 'no entiendo nada de lo que dice', 'voy a pagar ahora',
    'where is my parcel?', 'great, thanks a lot', 'I don''t like it', 'how much is it?', 'me cobraron dos veces el mismo recibo',
    'la talla no me queda bien', 'quiero cambiar el color de la camisa que compré la semana pasada', 'ok', 'no, gracias',
    'mándame una foto', 'busco un curso de piano para principiantes'])[:client_message] || ' ' || :conversation,
  p_ai_response => 'Un momento, por favor.',
  p_conversation_id => 'c' || :conversation,
  p_user_id => 'u' || :conversation);
