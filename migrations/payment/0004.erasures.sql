-- Of somebody whose account was deleted, what Stripe told is kept as ids, for the books.
-- depends: 0003.refunds

CREATE TABLE erased_users (
    user_id uuid PRIMARY KEY
);

CREATE FUNCTION only_ids(body jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object('id', body -> 'id', 'type', body -> 'type', 'data',
        jsonb_build_object('object', jsonb_build_object(
            'id', body #> '{data,object,id}', 'object', body #> '{data,object,object}',
            'payment_intent', body #> '{data,object,payment_intent}',
            'metadata', body #> '{data,object,metadata}'))))
$$;

CREATE INDEX payments_of_user ON payments (user_id);
CREATE INDEX payment_webhooks_of_payment ON payment_webhooks (payment_id);
