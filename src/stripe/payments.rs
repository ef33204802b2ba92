//! By what each invoice was paid, where Stripe cannot be asked for it: a dispute names
//! nothing but the charge.

use sqlx::PgPool;

/// Notes the charges and payments that paid an invoice.
///
/// # Errors
/// What the database says.
pub(super) async fn note(pool: &PgPool, invoice: &str, paid_by: &[&str]) -> Result<(), sqlx::Error> {
    if paid_by.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into stripe_payments (payment, invoice) select payment, $2 from unnest($1::text[]) as payment \
         on conflict do nothing",
    )
    .bind(paid_by)
    .bind(invoice)
    .execute(pool)
    .await?;
    Ok(())
}

/// The invoice that was paid by one of these.
///
/// # Errors
/// What the database says.
pub(super) async fn invoice_of(pool: &PgPool, paid_by: [Option<&str>; 2]) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select invoice from stripe_payments where payment = any ($1) limit 1")
        .bind(&paid_by[..])
        .fetch_optional(pool)
        .await
}
