package dev.regolith.faultinjection.model;

/**
 * What an attention was given in a forward pass. Queries and keys are turned by their positions;
 * heads lie side by side in a row.
 *
 * @param name of the attention, in the manner of the model's file
 * @param queries [tokens x heads * head width]
 * @param keys [tokens x key-value heads * head width]
 * @param values [tokens x key-value heads * head width]
 */
public record AttentionInput(String name, Matrix queries, Matrix keys, Matrix values) {}
